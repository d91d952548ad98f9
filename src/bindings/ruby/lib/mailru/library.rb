# frozen_string_literal: true

require "ffi"

module Mailru
  # The C functions, as the header declares them. Mailru::Session and its like are made of these.
  module Library
    extend FFI::Library

    ABI_VERSION = 0

    # The platform's name of the library's file.
    def self.file_name
      return "mailru.dll" if FFI::Platform.windows?

      FFI::Platform.mac? ? "libmailru.dylib" : "libmailru.so.#{ABI_VERSION}"
    end

    # Where the library is looked for: in MAILRU_LIBRARY alone if that is set, else beside this file, then by the
    # system's loader.
    def self.candidates
      named = ENV["MAILRU_LIBRARY"].to_s
      named.empty? ? [File.join(__dir__, file_name), file_name] : [named]
    end

    # The first candidate that can be loaded.
    def self.find
      tried = candidates.map do |path|
        FFI::DynamicLibrary.open(path, FFI::DynamicLibrary::RTLD_LAZY | FFI::DynamicLibrary::RTLD_LOCAL)
        return path
      rescue LoadError => error
        "  #{path}: #{error.message.lines.first&.chomp}"
      end
      raise LoadError, "libmailru cannot be loaded; set MAILRU_LIBRARY to the path of its file. Tried:\n#{tried.join("\n")}"
    end

    ffi_lib find

    session = %i[string string pointer].freeze # what ends every constructor: options_json, error
    {
      mailru_public_session_new: 0, mailru_token_session_new: 5, mailru_client_session_new: 4,
      mailru_server_session_new: 3, mailru_code_session_new: 5, mailru_code_client_session_new: 4,
      mailru_code_server_session_new: 4, mailru_password_session_new: 6, mailru_password_client_session_new: 5,
      mailru_password_server_session_new: 5, mailru_refresh_session_new: 4, mailru_refresh_client_session_new: 3,
      mailru_refresh_server_session_new: 3, mailru_stored_session_new: 4
    }.each { |name, texts| attach_function name, ([:string] * texts) + session.last(2), :uint64 }

    # Those that wait for the network let other threads of Ruby run meanwhile.
    waits = { blocking: true }.freeze
    attach_function :mailru_call, %i[uint64 string string pointer], :pointer, **waits
    attach_function :mailru_call_within, %i[uint64 string string int64 uint64 pointer], :pointer, **waits
    attach_function :mailru_upload, %i[uint64 string string string string pointer size_t pointer], :pointer, **waits
    attach_function :mailru_public, %i[uint64 string string pointer], :pointer, **waits
    attach_function :mailru_authorize, %i[uint64 pointer], :pointer, **waits
    attach_function :mailru_request, %i[uint64 string pointer size_t uint64 pointer], :pointer, **waits
    attach_function :mailru_queue_next, %i[uint64 int32 pointer pointer], :pointer, **waits

    attach_function :mailru_tokens, %i[uint64 pointer], :pointer
    attach_function :mailru_stats, %i[uint64 pointer], :pointer
    attach_function :mailru_sign, %i[uint64 string string pointer], :pointer
    attach_function :mailru_session_set_tokens, %i[uint64 string pointer], :int32
    # The callbacks are pointers: some of them are the C library's own functions.
    attach_function :mailru_session_on_token, %i[uint64 pointer pointer pointer], :int32
    attach_function :mailru_session_on_renewal, %i[uint64 pointer pointer pointer], :int32
    attach_function :mailru_session_hold, %i[uint64 int32], :int32
    attach_function :mailru_session_cancel, [:uint64], :int32
    attach_function :mailru_session_free, [:uint64], :void
    attach_function :mailru_cancel_new, [], :uint64
    attach_function :mailru_cancel_fire, [:uint64], :int32
    attach_function :mailru_cancel_progress, %i[uint64 pointer pointer], :int32
    attach_function :mailru_cancel_free, [:uint64], :void
    attach_function :mailru_queue_new, %i[uint32 uint32 pointer], :uint64
    attach_function :mailru_queue_submit, %i[uint64 uint64 string string uint64 pointer], :int32
    attach_function :mailru_queue_request, %i[uint64 uint64 string pointer size_t uint64 uint64 pointer], :int32
    attach_function :mailru_queue_cancel, %i[uint64 uint64], :int32
    attach_function :mailru_queue_fd, [:uint64], :int32
    attach_function :mailru_queue_free, [:uint64], :void
    attach_function :mailru_string_free, [:pointer], :void
    attach_function :mailru_version, [], :string
    attach_function :mailru_abi_version, [], :uint32
    attach_function :mailru_code_name, [:int32], :string
    attach_function :mailru_methods, [:pointer], :pointer
    attach_function :mailru_errors, [:pointer], :pointer
    attach_function :mailru_error_number, [:string], :int64
    attach_function :mailru_error_transient, [:string], :int32
    attach_function :mailru_error_message, %i[string pointer], :pointer
    attach_function :mailru_authorize_url, %i[string string string string string pointer], :pointer
    attach_function :mailru_authorize_url_at, %i[string string string string string string pointer], :pointer
    attach_function :mailru_parse_redirect, %i[string string pointer], :pointer
    attach_function :mailru_verify, %i[string string pointer], :pointer
    attach_function :mailru_verify_launch, %i[string string pointer], :pointer
    attach_function :mailru_verify_query, %i[string string string pointer], :pointer
    attach_function :mailru_set_log, %i[pointer pointer pointer int32], :int32

    unless mailru_abi_version == ABI_VERSION
      raise LoadError, "libmailru #{mailru_version} has another binary interface (#{mailru_abi_version}, not #{ABI_VERSION})"
    end

    # Takes over a string of the library's.
    def self.taken(pointer)
      pointer.null? ? nil : pointer.read_string.force_encoding(Encoding::UTF_8)
    ensure
      Library.mailru_string_free(pointer)
    end

    # Runs a function that answers with JSON and a code: its JSON, or an Error.
    def self.answer
      FFI::MemoryPointer.new(:int32) do |code|
        json = taken(yield(code))
        return json if code.read_int32.zero?

        raise Error.of(code.read_int32, json)
      end
    end

    # Runs a function that gives an error's JSON beside a handle or a code.
    def self.made
      FFI::MemoryPointer.new(:pointer) do |error|
        outcome = yield(error)
        json = taken(error.read_pointer)
        return outcome if json.nil?

        raise Error.of(-mailru_error_number(json), json)
      end
    end

    # Raises what a function answered that gives a code alone.
    def self.done(code, what)
      code.zero? or raise Error.local(code, "#{what}: #{mailru_code_name(code)}")
    end

    # Runs a block with a file's bytes in C's memory.
    def self.with_bytes(data)
      return yield(nil, 0) if data.nil?

      # Never of no bytes: the pointer may not be NULL.
      FFI::MemoryPointer.new(:uint8, [data.bytesize, 1].max, false) do |memory|
        memory.put_bytes(0, data)
        return yield(memory, data.bytesize)
      end
    end
  end
end
