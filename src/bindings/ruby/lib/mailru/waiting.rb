# frozen_string_literal: true

require "io/wait"

module Mailru
  # Waits for calls where Ruby can be interrupted: each waiting thread has a queue of the library's, and waits for its
  # descriptor as for any other IO. A thread that Ruby ends meanwhile frees its queue, which ends the call.
  module Waiting
    # A queue for one call at a time.
    class OneCallQueue
      def initialize
        @number = Library.made { |error| Library.mailru_queue_new(1, 2, error) }
        descriptor = Library.mailru_queue_fd(@number)
        # Windows has none.
        @io = descriptor.negative? ? nil : IO.for_fd(descriptor, autoclose: false)
      end

      # The call's code and JSON. The block, if there is one, is called every few milliseconds meanwhile.
      def perform(session, request, data, cancel, &meanwhile)
        Library.made do |error|
          Library.with_bytes(data) do |bytes, size|
            Library.mailru_queue_request(@number, session, request, bytes, size, cancel, 0, error)
          end
        end
        loop do
          outcome = step(meanwhile ? 0.02 : nil)
          return outcome if outcome

          meanwhile&.call
        end
      end

      def free = Library.mailru_queue_free(@number)

      private

      def step(limit)
        ready = @io ? @io.wait_readable(limit) : true
        return unless ready

        FFI::MemoryPointer.new(:int32) do |code|
          json = Library.taken(Library.mailru_queue_next(@number, @io ? 0 : 20, nil, code))
          return code.read_int32 == 31 ? nil : [code.read_int32, json]
        end
      end
    end

    KEPT = 64
    @free = []
    @lock = Mutex.new
    @process = Process.pid

    class << self
      # Performs a request: its JSON, or an Error.
      def perform(session, request, data: nil, cancel: nil, &meanwhile)
        queue = take
        code, json = queue.perform(session, request, data, cancel&.number || 0, &meanwhile)
        returned, queue = queue, nil
        give_back(returned)
        code.zero? ? json : raise(Error.of(code, json))
      ensure
        queue&.free
      end

      # What a fork takes away: queues stay with the parent, and so does ffi's thread for callbacks.
      def after_fork
        return if @process == Process.pid

        @lock = Mutex.new
        @free = []
        @process = Process.pid
        Log.after_fork
      end

      private

      def take
        after_fork
        @lock.synchronize { @free.pop } || OneCallQueue.new
      end

      def give_back(queue)
        kept = @lock.synchronize { @free.size < KEPT && @free.push(queue) }
        queue.free unless kept
      end
    end
  end
end
