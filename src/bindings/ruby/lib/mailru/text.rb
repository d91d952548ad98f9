# frozen_string_literal: true

require "json"

module Mailru
  # What goes to C and what comes from it: texts, JSON, times.
  module Text
    module_function

    # A text for C, which ends at a NUL; nil stays nil.
    def text(name, value)
      return nil if value.nil?
      raise Error.argument(name, "is a #{value.class}, not a text") unless value.is_a?(String) || value.is_a?(Symbol)

      text = value.to_s.encode(Encoding::UTF_8)
      raise Error.argument(name, "is not UTF-8") unless text.valid_encoding?
      raise Error.argument(name, "holds a NUL character") if text.include?("\0")

      text
    rescue EncodingError
      raise Error.argument(name, "is not UTF-8")
    end

    # An id as a text, whether the program has it as one or as an Integer.
    def id(name, value)
      value.is_a?(Integer) ? value.to_s : text(name, value)
    end

    # Parameters as JSON: a Hash, or JSON that was made already.
    def object(name, value)
      case value
      when nil then nil
      when String then made_already(name, text(name, value))
      when Hash then text(name, JSON.generate(value))
      else raise Error.argument(name, "is a #{value.class}, not a Hash")
      end
    rescue JSON::GeneratorError, JSON::NestingError => error
      raise Error.argument(name, "cannot be written as JSON: #{error.message}")
    end

    def made_already(name, json)
      return nil if json.strip.empty?
      raise Error.argument(name, "is not a JSON object") unless JSON.parse(json, max_nesting: false).is_a?(Hash)

      json
    rescue JSON::ParserError
      raise Error.argument(name, "is not JSON")
    end

    # A time in seconds as whole milliseconds, upwards: a limit is never rounded to none.
    def milliseconds(name, seconds, positive: true)
      raise Error.argument(name, "is not a number of seconds") unless seconds.is_a?(Numeric) && seconds.to_f.finite?
      raise Error.argument(name, "is not positive") if positive ? seconds <= 0 : seconds.negative?

      (seconds * 1000).ceil
    end

    # A whole number that fits into its C type.
    def whole(name, number, below)
      return number if number.is_a?(Integer) && number >= 0 && number < below

      raise Error.argument(name, "is not a whole number from 0 to #{below - 1}")
    end

    # Options as JSON; times are given in seconds and without `_ms`.
    def options(given)
      named = given.compact.to_h do |name, value|
        case name
        when :timeout, :connect_timeout, :retry_delay then ["#{name}_ms", milliseconds(name, value)]
        else [name, value]
        end
      end
      named.empty? ? nil : object(:options, named)
    end

    # An answer's JSON as Ruby's objects. Integers keep every digit.
    def parsed(json) = JSON.parse(json, max_nesting: false)
  end
end
