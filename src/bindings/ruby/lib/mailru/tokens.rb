# frozen_string_literal: true

module Mailru
  # A session's tokens. `to_json` is what to store, and Session.stored takes it.
  Tokens = Struct.new(:access_token, :refresh_token, :expires_in, :expires_at, :uid, :token_type, :circuit,
                      keyword_init: true) do
    # From the JSON that was stored. expires_at is a Time.
    def self.parse(json)
      members = JSON.parse(json).slice(*members().map(&:to_s))
      members["expires_at"] &&= Time.at(members["expires_at"])
      new(**members.transform_keys(&:to_sym))
    end

    def to_json(*arguments)
      to_h.merge(expires_at: expires_at&.to_i).to_json(*arguments)
    end

    def expired?(at = Time.now) = !expires_at.nil? && expires_at <= at

    # Without the secrets, which would else stand in logs.
    def inspect = "#<Mailru::Tokens uid=#{uid.inspect} circuit=#{circuit.inspect} expires_at=#{expires_at.inspect}>"
    alias_method :to_s, :inspect
  end
end
