# frozen_string_literal: true

module Mailru
  # The ways to a session. `circuit:` is :client or :server; without it the session signs as its keys and uid allow.
  # Further keywords are options, their times in seconds: timeout: 5, retries: 0, token_file: "…".
  module Constructors
    # For public pages alone.
    def public(**options) = make(:mailru_public_session_new, {}, options)

    # With an access token that the program has already.
    def token(app_id:, access_token:, private_key: nil, secret_key: nil, uid: nil, **options)
      make(:mailru_token_session_new, { app_id: app_id, private_key: private_key, secret_key: secret_key,
                                        access_token: access_token, uid: uid }, options)
    end

    # With an access token, signed client-server for the user uid.
    def client(app_id:, private_key:, access_token:, uid:, **options)
      make(:mailru_client_session_new,
           { app_id: app_id, private_key: private_key, access_token: access_token, uid: uid }, options)
    end

    # Signed server-server; without an access token calls name their user by the parameter uid.
    def server(app_id:, secret_key:, access_token: "", **options)
      make(:mailru_server_session_new, { app_id: app_id, secret_key: secret_key, access_token: access_token }, options)
    end

    # By the code of a redirect, see Mailru.parse_redirect.
    def code(app_id:, code:, redirect_uri:, private_key: nil, secret_key: nil, circuit: nil, **options)
      functions = { nil => :mailru_code_session_new, client: :mailru_code_client_session_new,
                    server: :mailru_code_server_session_new }
      grant(functions, circuit, app_id, private_key, secret_key, { code: code, redirect_uri: redirect_uri }, options)
    end

    # By the user's password.
    def password(app_id:, email:, password:, scope: nil, private_key: nil, secret_key: nil, circuit: nil, **options)
      functions = { nil => :mailru_password_session_new, client: :mailru_password_client_session_new,
                    server: :mailru_password_server_session_new }
      given = { email: email, password: password, scope: scope && Array(scope).join(" ") }
      grant(functions, circuit, app_id, private_key, secret_key, given, options)
    end

    # By a refresh token.
    def refresh(app_id:, refresh_token:, private_key: nil, secret_key: nil, circuit: nil, **options)
      functions = { nil => :mailru_refresh_session_new, client: :mailru_refresh_client_session_new,
                    server: :mailru_refresh_server_session_new }
      grant(functions, circuit, app_id, private_key, secret_key, { refresh_token: refresh_token }, options)
    end

    # By what an earlier session's token listener stored: Tokens, or their JSON. nil with the option token_file.
    def stored(app_id:, tokens: nil, private_key: nil, secret_key: nil, **options)
      tokens = tokens.to_json if tokens.is_a?(Tokens)
      make(:mailru_stored_session_new, { app_id: app_id, private_key: private_key, secret_key: secret_key,
                                         tokens_json: tokens }, options)
    end

    private

    def grant(functions, circuit, app_id, private_key, secret_key, given, options)
      function = functions[circuit] or raise Error.argument(:circuit, "is neither :client nor :server")
      keys = { private_key: private_key, secret_key: secret_key }
      if circuit
        other = circuit == :client ? :secret_key : :private_key
        raise Error.argument(other, "does not belong to the #{circuit} circuit; option client_secret:") if keys[other]

        keys.delete(other)
      end
      make(function, { app_id: app_id, **keys, **given }, options)
    end

    def make(function, texts, options)
      texts = texts.map { |name, value| Text.id(name, value) }
      json = Text.options(options)
      new(Library.made { |error| Library.public_send(function, *texts, json, error) })
    end
  end
end
