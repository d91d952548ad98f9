# frozen_string_literal: true

require_relative "mailru/library"
require_relative "mailru/error"
require_relative "mailru/text"
require_relative "mailru/tokens"
require_relative "mailru/cancel"
require_relative "mailru/waiting"
require_relative "mailru/listeners"
require_relative "mailru/constructors"
require_relative "mailru/session"
require_relative "mailru/queue"
require_relative "mailru/log"
require_relative "mailru/helpers"

# The Mail.ru platform's REST API through libmailru.
#
#     session = Mailru::Session.client(app_id: "…", private_key: "…", access_token: "…", uid: "…")
#     friends = session.call("friends.get", { ext: 1 }, timeout: 5)
#
# Answers are what JSON.parse makes of them, with ids of any length as Integers; `raw: true` gives the platform's own
# text. Times are seconds. Failures are Mailru::Error and its subclasses. One session serves many threads; while a
# thread waits, others run, and Timeout.timeout, Thread#kill and Ctrl-C end the call at once.
module Mailru
end
