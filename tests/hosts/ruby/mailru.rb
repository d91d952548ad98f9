# frozen_string_literal: true

require "ffi"

# The Mail.ru platform's REST API through libmailru, by the ffi gem.
#
#     session = Mailru::Session.client(app_id, private_key, access_token, uid)
#     friends = JSON.parse(session.call("friends.get", '{"ext":1}'))
#
# Calls let other threads of Ruby run while they wait. Failures are Mailru::Error.
module Mailru
  # The C functions.
  module Library
    extend FFI::Library
    ffi_lib "libmailru.so.0"

    callback :told, %i[pointer string], :void
    callback :released, %i[pointer], :void
    attach_function :mailru_client_session_new, [:string] * 5 + [:pointer], :uint64
    attach_function :mailru_server_session_new, [:string] * 4 + [:pointer], :uint64
    attach_function :mailru_password_client_session_new, [:string] * 6 + [:pointer], :uint64
    attach_function :mailru_session_free, [:uint64], :void
    attach_function :mailru_session_on_token, %i[uint64 told pointer released], :int32
    # blocking: without Ruby's lock, so that other threads run.
    attach_function :mailru_call_within, %i[uint64 string string int64 uint64 pointer], :pointer, blocking: true
    attach_function :mailru_sign, %i[uint64 string string pointer], :pointer
    attach_function :mailru_tokens, %i[uint64 pointer], :pointer
    attach_function :mailru_cancel_new, [], :uint64
    attach_function :mailru_cancel_fire, [:uint64], :int32
    attach_function :mailru_cancel_free, [:uint64], :void
    attach_function :mailru_queue_new, %i[uint32 uint32 pointer], :uint64
    attach_function :mailru_queue_submit, %i[uint64 uint64 string string uint64 pointer], :int32
    attach_function :mailru_queue_next, %i[uint64 int32 pointer pointer], :pointer, blocking: true
    attach_function :mailru_queue_free, [:uint64], :void
    attach_function :mailru_string_free, [:pointer], :void
    attach_function :mailru_code_name, [:int32], :string
  end

  # A failure: its code's name and the error's JSON.
  class Error < StandardError
    attr_reader :code, :json

    def initialize(code, json)
      @code = Library.mailru_code_name(code)
      @json = json
      super("#{@code}: #{json}")
    end
  end

  # Takes over a string of the library's.
  def self.taken(pointer)
    pointer.null? ? nil : pointer.read_string.force_encoding(Encoding::UTF_8)
  ensure
    Library.mailru_string_free(pointer)
  end

  # Runs a function that answers with JSON and a code.
  def self.answer
    FFI::MemoryPointer.new(:int32) do |code|
      json = taken(yield(code))
      raise Error.new(code.read_int32, json) unless code.read_int32.zero?

      return json
    end
  end

  # Runs a function that answers with a handle, or with a code of which 0 is success.
  def self.made(success)
    FFI::MemoryPointer.new(:pointer) do |error|
      outcome = yield(error)
      return outcome if success.call(outcome)

      json = taken(error.read_pointer)
      raise Error.new(-json[/"error_code":(-?\d+)/, 1].to_i, json)
    end
  end

  # Ends the calls that were given it.
  class Cancel
    attr_reader :number

    def initialize
      @number = Library.mailru_cancel_new
      ObjectSpace.define_finalizer(self, Cancel.freer(@number))
    end

    # Made here, so that it does not hold the object.
    def self.freer(number) = proc { Library.mailru_cancel_free(number) }

    def fire = Library.mailru_cancel_fire(@number)
  end

  # A session. Options and parameters are JSON, or nil.
  class Session
    attr_reader :number

    def self.client(app_id, private_key, access_token, uid, options = nil)
      new(:mailru_client_session_new, app_id, private_key, access_token, uid, options)
    end

    def self.server(app_id, secret_key, access_token, options = nil)
      new(:mailru_server_session_new, app_id, secret_key, access_token, options)
    end

    def self.password_client(app_id, private_key, email, password, scope = nil, options = nil)
      new(:mailru_password_client_session_new, app_id, private_key, email, password, scope, options)
    end

    def initialize(constructor, *texts)
      @number = Mailru.made(:nonzero?.to_proc) { |error| Library.public_send(constructor, *texts, error) }
    end

    def close = Library.mailru_session_free(@number)

    # timeout is in seconds.
    def call(method, params = nil, timeout: 0, cancel: nil)
      limit = (timeout * 1000).ceil
      Mailru.answer { |code| Library.mailru_call_within(@number, method, params, limit, cancel&.number || 0, code) }
    end

    def sign(method, params = nil)
      Mailru.answer { |code| Library.mailru_sign(@number, method, params, code) }
    end

    def tokens
      Mailru.answer { |code| Library.mailru_tokens(@number, code) }
    end

    # What the library may still call, by the number that it was given for it.
    LISTENERS = {}
    TOLD = FFI::Function.new(:void, %i[pointer string]) do |number, tokens|
      LISTENERS[number.address].call(tokens.dup.force_encoding(Encoding::UTF_8))
    end
    RELEASED = FFI::Function.new(:void, %i[pointer]) { |number| LISTENERS.delete(number.address) }
    private_constant :TOLD, :RELEASED

    # Has the block told of every new set of tokens, before any of them is used; no block removes it.
    def on_token(&listener)
      if listener
        LISTENERS[listener.object_id] = listener
        Library.mailru_session_on_token(@number, TOLD, FFI::Pointer.new(listener.object_id), RELEASED)
      else
        Library.mailru_session_on_token(@number, nil, nil, nil)
      end
    end
  end

  # Many calls for few threads.
  class Queue
    def initialize(workers = 0, capacity = 0)
      @number = Mailru.made(:nonzero?.to_proc) { |error| Library.mailru_queue_new(workers, capacity, error) }
    end

    def close = Library.mailru_queue_free(@number)

    def submit(session, method, params, tag)
      Mailru.made(:zero?.to_proc) do |error|
        Library.mailru_queue_submit(@number, session.number, method, params, tag, error)
      end
    end

    # The next completion: its tag and its JSON.
    def next(timeout_ms = -1)
      FFI::MemoryPointer.new(:uint64) do |tag|
        json = Mailru.answer { |code| Library.mailru_queue_next(@number, timeout_ms, tag, code) }
        return tag.read_uint64, json
      end
    end
  end
end
