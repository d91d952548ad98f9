# frozen_string_literal: true

module Mailru
  # Many calls for few threads: they are submitted at once and taken as they complete.
  class Queue
    # What became of a submission: its tag, and its JSON or its error.
    Completion = Struct.new(:tag, :json, :error) do
      # The answer, or the error raised.
      def value(raw: false)
        raise error if error

        raw ? json : Text.parsed(json)
      end
    end

    # workers: how many calls may be in flight at once; capacity: how many submissions may not be taken yet.
    def initialize(workers: 0, capacity: 0)
      workers, capacity = Text.whole(:workers, workers, 1 << 32), Text.whole(:capacity, capacity, 1 << 32)
      @number = Library.made { |error| Library.mailru_queue_new(workers, capacity, error) }
      @lock = Mutex.new
      @pending = {}
      @last = 0
      ObjectSpace.define_finalizer(self, Queue.freer(@number))
      descriptor = Library.mailru_queue_fd(@number)
      @io = descriptor.negative? ? nil : IO.for_fd(descriptor, autoclose: false)
    end

    def self.freer(number) = proc { Library.mailru_queue_free(number) }

    # Hands a call to the queue. tag: any object, which comes back with the completion.
    def submit(session, method, params = nil, tag: nil)
      method, params = Text.text(:method, method), Text.object(:params_json, params)
      enter(session, tag) do |own, error|
        Library.mailru_queue_submit(@number, session.number, method, params, own, error)
      end
    end

    # Hands any request to the queue, as the library's JSON: a Hash with "method", "public" or "authorize".
    def request(session, request, data: nil, cancel: nil, tag: nil)
      json = Text.object(:request, request)
      enter(session, tag) do |own, error|
        Library.with_bytes(data) do |bytes, size|
          Library.mailru_queue_request(@number, session.number, json, bytes, size, cancel&.number || 0, own, error)
        end
      end
    end

    # The next Completion, or nil if none came within timeout seconds; without a timeout it waits.
    def next(timeout: nil)
      limit = timeout && now + Text.milliseconds(:timeout, timeout, positive: false).fdiv(1000)
      loop do
        listening = look_for_tokens
        completion = take and return completion
        left = limit && limit - now
        return if left && left <= 0

        wait([left, (0.02 if listening || @io.nil?)].compact.min)
      end
    end

    # Readable while a completion waits: for IO.select and its like.
    def to_io = @io

    # How many submissions were not taken yet.
    def size = @lock.synchronize { @pending.size }

    # Completes what bears this tag as Cancelled.
    def cancel(tag)
      own = @lock.synchronize { @pending.select { |_, (given, _)| given == tag }.keys }
      own.each { |number| Library.done(Library.mailru_queue_cancel(@number, number), "queue") }
    end

    # Cancels what is pending. Whoever waits in `next` is told that the queue is gone.
    def close
      @io = nil
      Library.mailru_queue_free(@number)
      @lock.synchronize { @pending.clear }
    end

    private

    def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

    def enter(session, tag)
      session.check_caller
      own = @lock.synchronize do
        @pending[@last += 1] = [tag, session]
        @last
      end
      Library.made { |error| yield(own, error) }
    rescue Error => error
      @lock.synchronize { @pending.delete(own) }
      error.tag = tag
      raise
    end

    def take
      FFI::MemoryPointer.new(:uint64) do |tag|
        FFI::MemoryPointer.new(:int32) do |code|
          json = Library.taken(Library.mailru_queue_next(@number, 0, tag, code))
          code = code.read_int32
          return nil if code == 31

          return completion(tag.read_uint64, code, json)
        end
      end
    end

    def completion(own, code, json)
      tag, session = @lock.synchronize { @pending.delete(own) }
      raise Error.of(code, json) if session.nil?

      session.look_for_tokens
      return Completion.new(tag, json, nil) if code.zero?

      error = Error.of(code, json)
      error.tag = tag
      Completion.new(tag, nil, error)
    end

    def wait(seconds)
      io = @io
      io ? io.wait_readable([seconds, 0.5].compact.min) : sleep(seconds || 0.02)
    rescue IOError, Errno::EBADF
      nil # closed meanwhile, which the next look at the queue tells
    end

    def look_for_tokens
      sessions = @lock.synchronize { @pending.each_value.map(&:last).uniq(&:object_id) }
      sessions.map(&:look_for_tokens).any?
    end
  end
end
