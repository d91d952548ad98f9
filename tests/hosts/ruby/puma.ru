# frozen_string_literal: true

# An application that logs in before Puma forks its workers: each of them goes on with that session, and may have others.
# An answer is the worker, how often a login of its own was told its tokens, and what the platform answered.

require "json"
require "mailru"

def log_in
  options = JSON.parse(ENV.fetch("MAILRU_OPTIONS"), symbolize_names: true)
  Mailru::Session.password(app_id: "423004", private_key: "7815696ecbf1c96e6894b779456d330e", email: "demo@mail.ru",
                           password: "demo", **options)
end

SHARED = log_in
SHARED.on_token { |tokens| tokens.to_json }
SHARED.call("sandbox.echo")

run(lambda do |request|
  told = 0
  case request["PATH_INFO"]
  when "/login"
    own = log_in
    own.on_token { told += 1 }
    own.call("sandbox.echo")
  when "/slow" then SHARED.call("sandbox.echo.slow")
  end
  [200, { "content-type" => "text/plain" }, ["#{Process.pid} #{told} #{SHARED.call("sandbox.echo", { a: 7 })["a"]}\n"]]
end)
