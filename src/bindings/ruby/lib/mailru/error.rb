# frozen_string_literal: true

require "json"

module Mailru
  # A failure. What it is tells its class; what is known of it tell its members.
  class Error < StandardError
    # The library's code, such as 21, and its name, such as "MAILRU_TIMEOUT".
    attr_reader :code, :name
    # The platform's number of its own errors; else minus the code.
    attr_reader :number
    # The error's JSON, the platform's own bytes for its errors.
    attr_reader :json
    # Which argument, option or parameter was wrong; what an answer lacks.
    attr_reader :argument, :field
    attr_reader :http_status
    # What the authorization server, or the platform, answered.
    attr_reader :oauth, :platform
    # Whether a byte of the request may have reached a server: a write may be made again only if this is false. nil
    # if no request was made.
    attr_reader :sent
    # How many seconds to wait before the next request, if the server said so.
    attr_reader :retry_after
    # What the submission of a queue was tagged with.
    attr_accessor :tag

    # Whether the same call may succeed later.
    def transient? = @transient
    def sent? = @sent

    # The error of a code, in the code's class.
    def self.of(code, json)
      CLASSES.fetch(code, Error).new(code, json.to_s)
    end

    # An error that is noticed before C is called, in the library's shape.
    def self.local(code, text, **members)
      of(code, JSON.generate(error: { error_code: -code, error_msg: text, transient: false, **members }))
    end

    # An argument that the library would not take as it is.
    def self.argument(name, text)
      local(1, "#{name} #{text}", argument: name.to_s)
    end

    def initialize(code, json)
      @code = code
      @name = Library.mailru_code_name(code)
      @json = json.dup.freeze
      @number = Library.mailru_error_number(json)
      @transient = Library.mailru_error_transient(json) == 1
      read_members
      super("#{@name} #{@number}: #{text}")
    end

    # The text alone.
    def text
      @text ||= Library.answer { |code| Library.mailru_error_message(@json, code) }
    rescue Error
      @text = @json
    end

    private

    def read_members
      members = JSON.parse(@json)["error"]
      return unless members.is_a?(Hash)

      @argument, @field, @http_status, @oauth, @platform, @sent =
        members.values_at("argument", "field", "http_status", "oauth", "platform", "sent")
      @retry_after = members["retry_after_ms"]&.fdiv(1000)
    rescue JSON::ParserError
      nil
    end
  end

  # The caller's own mistakes.
  class UsageError < Error; end
  class InvalidArgument < UsageError; end
  class InvalidHandle < UsageError; end
  class SignatureUndefined < UsageError; end
  class Reentered < UsageError; end
  class SignatureMismatch < Error; end

  # What the servers answered.
  class APIError < Error; end
  class OAuthError < Error; end
  class ResponseError < Error; end
  class HTTPError < ResponseError; end

  # What became of the way there.
  class NetworkError < Error; end
  class TimeoutError < NetworkError; end
  class TLSError < NetworkError; end
  class Cancelled < Error; end
  class OutOfMemory < Error; end

  class QueueFull < Error; end
  class QueueEmpty < Error; end

  Error::CLASSES = {
    1 => InvalidArgument, 2 => InvalidHandle, 3 => SignatureUndefined, 4 => SignatureMismatch, 5 => Reentered,
    10 => APIError, 11 => OAuthError, 12 => ResponseError, 13 => ResponseError, 14 => ResponseError, 15 => HTTPError,
    20 => NetworkError, 21 => TimeoutError, 22 => TLSError, 23 => Cancelled, 24 => OutOfMemory, 30 => QueueFull,
    31 => QueueEmpty
  }.freeze
end
