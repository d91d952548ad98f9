# frozen_string_literal: true

module Mailru
  # Ends the calls that were given it, from another thread, and tells how much of their requests was sent.
  class Cancel
    attr_reader :number

    def initialize
      @number = Library.mailru_cancel_new
      ObjectSpace.define_finalizer(self, Cancel.freer(@number))
    end

    # Made here, so that it does not hold the object.
    def self.freer(number) = proc { Library.mailru_cancel_free(number) }

    # Its calls end as Cancelled, later ones at once.
    def fire = Library.done(Library.mailru_cancel_fire(@number), "cancel")

    # How many bytes of the requests were sent, and how many there are to send: [sent, total].
    def progress
      FFI::MemoryPointer.new(:uint64, 2) do |both|
        Library.done(Library.mailru_cancel_progress(@number, both, both + 8), "cancel")
        return both.read_array_of_uint64(2)
      end
    end

    def close = Library.mailru_cancel_free(@number)
  end
end
