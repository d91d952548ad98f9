# frozen_string_literal: true

module Mailru
  class << self
    def version = Library.mailru_version
    def abi_version = Library.mailru_abi_version

    # The platform's methods that are known: name, summary, write, privilege, params.
    def catalogue = Text.parsed(Library.answer { |code| Library.mailru_methods(code) })

    # The platform's errors that are known: code, meaning, transient, advice.
    def error_catalogue = Text.parsed(Library.answer { |code| Library.mailru_errors(code) })

    # The address at which a user lets the application in. Keep state in the user's own session.
    # address: another authorization server's page for logins, such as the sandbox's.
    def authorize_url(app_id:, redirect_uri:, response_type: nil, scope: nil, state: nil, address: nil)
      texts = { app_id: app_id, redirect_uri: redirect_uri, response_type: response_type,
                scope: scope && Array(scope).join(" "), state: state }
      texts = texts.map { |name, value| Text.id(name, value) }
      address = Text.text(:address, address)
      json = Library.answer do |code|
        next Library.mailru_authorize_url(*texts, code) unless address

        Library.mailru_authorize_url_at(address, *texts, code)
      end
      Text.parsed(json)["url"]
    end

    # What a redirect brought: the code as a String, or Tokens. state: the one that was sent; nil compares none, and
    # then nothing protects against forged logins.
    def parse_redirect(url, state:)
      url, state = Text.text(:url, url), Text.text(:expected_state, state)
      json = Library.answer { |code| Library.mailru_parse_redirect(url, state, code) }
      Text.parsed(json)["code"] || Tokens.parse(json)
    end

    # Whether a payment callback's parameters are the platform's: true, or SignatureMismatch. verify_query is safer.
    def verify(secret_key, params) = checked(:mailru_verify, secret_key, params)

    # The same for launch parameters.
    def verify_launch(secret_key, params) = checked(:mailru_verify_launch, secret_key, params)

    # Checks a query string as it came: :payment, :launch, :cookie or :launch_by_key. Use the params of the answer
    # and nothing else of the query.
    def verify_query(kind, secret_key, query)
      texts = { kind: kind, secret_key: secret_key, query: query }.map { |name, value| Text.text(name, value) }
      Text.parsed(Library.answer { |code| Library.mailru_verify_query(*texts, code) })
    end

    private

    def checked(function, secret_key, params)
      secret_key, params = Text.text(:secret_key, secret_key), Text.object(:params_json, params)
      Text.parsed(Library.answer { |code| Library.public_send(function, secret_key, params, code) })["verified"]
    end
  end
end
