# frozen_string_literal: true

require "weakref"

module Mailru
  # What to do with an error that a listener raised: it can reach neither the library nor the caller, whose answer is
  # right. It is written to standard error unless a block is given here.
  def self.on_listener_error(&block) = @listener_error = block

  # Calls a listener; what it raises is reported. Nothing interrupts it: it stores tokens.
  def self.tell(what)
    Thread.handle_interrupt(Object => :never) { yield }
  rescue Exception => error # rubocop:disable Lint/RescueException -- none may reach C
    begin
      @listener_error ? @listener_error.call(error, what) : warn("mailru: the #{what} raised:\n#{error.full_message}")
    rescue StandardError
      nil
    end
  end

  # The C library's semaphores.
  module Semaphores
    extend FFI::Library
    ffi_lib [FFI::CURRENT_PROCESS, FFI::Library::LIBC]
    begin
      attach_function :calloc, %i[size_t size_t], :pointer
      attach_function :sem_init, %i[pointer int uint], :int
      attach_function :sem_post, [:pointer], :int
      attach_function :sem_trywait, [:pointer], :int
      WAIT, FREE = %w[sem_wait free].map { |name| ffi_libraries.filter_map { |all| all.find_function(name) }.first }
    rescue FFI::NotFoundError
      WAIT = FREE = nil
    end
    SIZE = 64 # no system's sem_t is larger

    # A new one of value 0, or nil where there are none (macOS, Windows).
    def self.create
      memory = WAIT && calloc(1, SIZE)
      memory if memory && sem_init(memory, 0, 0).zero?
    end
  end

  # Has a block told of a session's new tokens before they are used. The library's callback for it runs on a thread of
  # the library's, which ffi cannot take over in a forked process. So the callback is the C library's own sem_wait,
  # which keeps that thread waiting: a thread of Ruby's that waits for a call sees the new tokens in mailru_tokens,
  # tells the block, and lets the library go on. Where there are no semaphores the block is told a moment later.
  class TokenListener
    PATIENCE = 1.0 # seconds after which the library's thread goes on though the tokens are the same as before

    def initialize(number, semaphore, listener)
      @number = number
      @semaphore = semaphore
      @listener = listener
      @lock = Mutex.new
      @told = current
      memory = Semaphores.create
      code = Library.mailru_session_on_token(number, memory && Semaphores::WAIT, memory, memory && Semaphores::FREE)
      Library.done(code, "session")
      semaphore.use(memory)
    end

    # Whether this thread is inside the listener.
    def inside? = @lock.owned?

    # Tells the block if there are new tokens, unless another thread is at it.
    def look(waited = 0)
      return if inside? || !@lock.try_lock

      begin
        @semaphore.drain
        tokens = current
        if tokens && tokens != @told
          @told = tokens
          Mailru.tell("token listener") { @listener.call(Tokens.parse(tokens)) }
          @semaphore.post
        elsif waited >= PATIENCE
          @semaphore.post
        end
      ensure
        @lock.unlock
      end
    end

    # The present tokens need not be told.
    def known = @lock.owned? ? @told = current : @lock.synchronize { @told = current }

    private

    # nil once the session was freed.
    def current
      Library.answer { |code| Library.mailru_tokens(@number, code) }
    rescue InvalidHandle
      nil
    end
  end

  # The semaphore of a session's token listener; it holds neither session nor listener.
  class TokenSemaphore
    MANY = 64

    # Lets one thread through.
    def post(times = 1)
      times.times { Semaphores.sem_post(@semaphore) } if @semaphore
    end

    # Takes back what nobody went through.
    def drain
      nil while @semaphore && Semaphores.sem_trywait(@semaphore).zero?
    end

    def use(semaphore) = @semaphore = semaphore

    # Before the library releases it, which frees its memory: whoever waits goes on, and nobody here uses it again.
    def abandon
      post(MANY)
      @semaphore = nil
    end
  end

  # Has a block told of renewals, on a thread that ffi makes of the library's.
  module Renewals
    PHASES = { 1 => :before, 0 => :after }.freeze
    # By the number that the library was given; weak, so that a listener that mentions its session does not keep it.
    @sessions = {}
    @numbers = 0
    @lock = Mutex.new

    class << self
      # Whether ffi's thread for callbacks is gone: it was the parent's, and this ffi does not start another.
      attr_accessor :lost

      # Made with the first listener, since ffi's thread for callbacks comes with them.
      def functions
        @functions ||= [
          FFI::Function.new(:void, %i[pointer int32]) { |number, phase| renewing(number.address, phase) },
          FFI::Function.new(:void, %i[pointer]) { |number| @sessions.delete(number.address) }
        ]
      end

      def register(session)
        lost? and raise NotImplementedError, "on_renewal in a forked process needs ffi 1.16 or newer"
        told, released = functions
        number = @lock.synchronize { @numbers += 1 }
        @sessions[number] = WeakRef.new(session)
        Library.done(Library.mailru_session_on_renewal(session.number, told, FFI::Pointer.new(number), released), "session")
      end

      def lost? = @lost && Gem::Version.new(FFI::VERSION) < Gem::Version.new("1.16")

      # Whether this thread is inside the session's listener.
      def inside?(session) = Thread.current.thread_variable_get(:mailru_renewing).equal?(session)

      private

      def renewing(number, phase)
        session = @sessions[number]&.__getobj__ or return
        Thread.current.thread_variable_set(:mailru_renewing, session)
        Mailru.tell("renewal listener") { session.renewal_listener&.call(PHASES.fetch(phase)) }
      rescue WeakRef::RefError
        nil
      ensure
        Thread.current.thread_variable_set(:mailru_renewing, nil)
      end
    end
  end
end
