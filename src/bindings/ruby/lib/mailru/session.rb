# frozen_string_literal: true

module Mailru
  # A session of the platform: made by Session.client and its like, shared by as many threads as you like.
  class Session
    extend Constructors
    private_class_method :new

    # The library's number for it.
    attr_reader :number
    # The blocks of on_token and on_renewal.
    attr_reader :token_listener, :renewal_listener

    def initialize(number)
      @number = number
      @semaphore = TokenSemaphore.new
      ObjectSpace.define_finalizer(self, Session.freer(number, @semaphore))
    end

    # Made here, so that it does not hold the object.
    def self.freer(number, semaphore)
      proc do
        semaphore.abandon
        Library.mailru_session_free(number)
      end
    end

    # Calls a method of the platform. timeout: seconds; cancel: a Cancel; raw: the platform's own text.
    def call(method, params = nil, timeout: nil, retries: nil, pass_error: nil, cancel: nil, raw: false)
      request = Request.call(method, params, timeout: timeout, retries: retries, pass_error: pass_error)
      perform(request, cancel: cancel, raw: raw)
    end

    # Calls a method with a file: a String of bytes, or what can be read. The block is told of the progress, in bytes:
    # sent and total.
    def upload(method, params = nil, file:, field:, name: nil, type: nil, timeout: nil, retries: nil, pass_error: nil,
               cancel: nil, raw: false, &progress)
      data = file.respond_to?(:read) ? file.read : file
      raise Error.argument(:file, "is neither a String nor to be read from") unless data.is_a?(String)

      name ||= file.respond_to?(:path) ? File.basename(file.path) : "file"
      request = Request.upload(method, params, { field: field, name: name, type: type },
                               timeout: timeout, retries: retries, pass_error: pass_error)
      perform(request, data: data, cancel: cancel, raw: raw, progress: progress)
    end

    # Reads a public page's JSON, such as "mail/nick".
    def public(path, params = nil, timeout: nil, retries: nil, pass_error: nil, cancel: nil, raw: false)
      request = Request.public(path, params, timeout: timeout, retries: retries, pass_error: pass_error)
      perform(request, cancel: cancel, raw: raw)
    end

    # Gets the tokens, or renews them; calls do this by themselves.
    def authorize(timeout: nil, cancel: nil)
      Tokens.parse(perform(Request.authorize(timeout: timeout), cancel: cancel, raw: true))
    end

    # Any request as the library's JSON, for what the methods above leave out.
    def request(request, data: nil, cancel: nil, raw: false)
      perform(Text.object(:request, request), data: data, cancel: cancel, raw: raw)
    end

    # A call as it would be sent, without sending it.
    def sign(method, params = nil, raw: false)
      method, params = Text.text(:method, method), Text.object(:params_json, params)
      json = Library.answer { |code| Library.mailru_sign(@number, method, params, code) }
      raw ? json : Text.parsed(json)
    end

    # The present tokens.
    def tokens = Tokens.parse(Library.answer { |code| Library.mailru_tokens(@number, code) })

    # What the session has done: counters and latencies, see the header at mailru_stats.
    def stats = Text.parsed(Library.answer { |code| Library.mailru_stats(@number, code) })

    # Goes on with newer tokens: Tokens, or their JSON.
    def tokens=(tokens)
      json = Text.text(:tokens_json, tokens.is_a?(Tokens) ? tokens.to_json : tokens)
      Library.made { |error| Library.mailru_session_set_tokens(@number, json, error) }
      @telling&.known
    end

    # Has the block told of every new set of tokens before any of them is used: the place to store them. No block
    # removes it. The block runs on a thread that waits for a call of the session, and calls nothing of the session
    # but `tokens`. Tokens that come while no call waits are told at the next one, at `close` or at exit.
    def on_token(&listener)
      @semaphore.abandon
      @telling = nil
      @token_listener = listener
      return Library.done(Library.mailru_session_on_token(@number, nil, nil, nil), "session") unless listener

      @telling = TokenListener.new(@number, @semaphore, listener)
      Session.with_listeners[self] = true
    end

    # Has the block told of renewals, :before the request (take a lock, load, set tokens=) and :after it.
    def on_renewal(&listener)
      @renewal_listener = listener
      return Renewals.register(self) if listener

      Library.done(Library.mailru_session_on_renewal(@number, nil, nil, nil), "session")
    end

    # Inside the block of on_renewal: it counts as running until proceed, also after it has returned.
    def hold = Library.done(Library.mailru_session_hold(@number, 1), "hold, which belongs into on_renewal")

    # Ends what hold began.
    def proceed = Library.done(Library.mailru_session_hold(@number, 0), "session")

    # Ends the calls under way, as Cancelled; later ones work.
    def cancel = Library.done(Library.mailru_session_cancel(@number), "session")

    # Ends the session and its calls.
    def close
      look_for_tokens
      @semaphore.abandon
      Library.mailru_session_free(@number)
    end

    # Tells the block of on_token what is new, and whether there is one.
    def look_for_tokens(waited = 0)
      @telling&.look(waited)
      !@telling.nil?
    end

    # Raises where a call would wait for itself, or for a listener that nobody runs.
    def check_caller
      if @telling&.inside? || Renewals.inside?(self)
        raise Error.local(5, "a call of the session inside its own listener would wait for itself")
      end
      return unless @renewal_listener && Renewals.lost?

      raise NotImplementedError, "on_renewal in a forked process needs ffi 1.16 or newer"
    end

    # The sessions with token listeners that are still in use.
    def self.with_listeners = @with_listeners ||= ObjectSpace::WeakMap.new

    at_exit { with_listeners.each_key(&:look_for_tokens) }

    def inspect = "#<Mailru::Session #{@number}>"

    private

    def perform(request, cancel:, raw:, data: nil, progress: nil)
      Waiting.after_fork
      check_caller
      look_for_tokens
      cancel, own = progress && cancel.nil? ? [Cancel.new] * 2 : [cancel, nil]
      started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      meanwhile = proc do
        look_for_tokens(Process.clock_gettime(Process::CLOCK_MONOTONIC) - started)
        progress&.call(*cancel.progress)
      end
      json = Waiting.perform(@number, request, data: data, cancel: cancel, &(@telling || progress ? meanwhile : nil))
      progress&.call(*cancel.progress)
      raw ? json : Text.parsed(json)
    ensure
      own&.close
      look_for_tokens
    end
  end

  # The library's JSON for requests.
  module Request
    module_function

    def call(method, params, **limits)
      build({ method: Text.text(:method, method) }, params, limits)
    end

    def upload(method, params, file, **limits)
      file = file.compact.to_h { |name, value| [name, Text.text(name, value)] }
      build({ method: Text.text(:method, method), file: file }, params, limits)
    end

    def public(path, params, **limits)
      build({ public: Text.text(:path, path) }, params, limits)
    end

    def authorize(**limits)
      build({ authorize: true }, nil, limits)
    end

    # params may be JSON that is to be sent digit by digit; Text.object made sure that it is an object.
    def build(members, params, limits)
      timeout = limits.delete(:timeout)
      members[:timeout_ms] = Text.milliseconds(:timeout, timeout) if timeout
      json = JSON.generate(members.merge(limits.compact))
      params = Text.object(:params_json, params)
      params ? "#{json.chomp("}")},\"params\":#{params}}" : json
    end
  end
end
