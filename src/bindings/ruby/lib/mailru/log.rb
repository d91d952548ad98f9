# frozen_string_literal: true

require "logger"

module Mailru
  # The library's log in a Logger of Ruby's, for the whole process; nil switches it off.
  #
  #     Mailru.logger = Logger.new($stderr, level: :info)
  def self.logger=(logger)
    Log.use(logger)
  end

  def self.logger = Log.logger

  # Has the library's lines told to the logger, on a thread that ffi makes of the library's.
  module Log
    SEVERITIES = { 1 => Logger::ERROR, 2 => Logger::WARN, 3 => Logger::INFO, 4 => Logger::DEBUG }.freeze

    class << self
      attr_reader :logger

      def use(logger)
        raise NotImplementedError, "a log in a forked process needs ffi 1.16 or newer" if logger && Renewals.lost?

        @logger = logger
        level = logger ? SEVERITIES.select { |_, severity| severity >= logger.level }.keys.max.to_i : 0
        Library.done(Library.mailru_set_log(level.zero? ? nil : told, nil, nil, level), "level")
      end

      # An ffi before 1.16 does not start its thread for callbacks again: whoever logs would wait for it for ever.
      def after_fork
        Renewals.lost = true
        use(nil) if @logger && Renewals.lost?
      end

      private

      # Made with the first logger, since ffi's thread for callbacks comes with it.
      def told
        @told ||= FFI::Function.new(:void, %i[pointer int32 string]) do |_, level, line|
          Mailru.tell("logger") do
            @logger&.add(SEVERITIES.fetch(level, Logger::UNKNOWN), line.dup.force_encoding(Encoding::UTF_8), "mailru")
          end
        end
      end
    end

    at_exit { Library.mailru_set_log(nil, nil, nil, 0) if @logger }
  end
end
