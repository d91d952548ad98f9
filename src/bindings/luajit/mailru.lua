-- The Mail.ru platform's REST API through libmailru, by LuaJIT's FFI.
--
--     local mailru = require("mailru")
--     local session = assert(mailru.client({ app_id = "…", private_key = "…", access_token = "…", uid = "…" }))
--     local friends, failure = session:call("friends.get", { ext = 1 }, { timeout = 5 })
--
-- As is Lua's way, a failure is nil and a table that says what it knows (mailru.failure) and turns into a text. Answers
-- are tables, with integers that Lua's numbers cannot hold as strings, and null as mailru.null; raw gives the platform's
-- own text. Times are seconds. Ctrl-C and other hooks end a call.
local ffi = require("ffi")
local callbacks = require("mailru.callbacks")
local json = require("mailru.json")
local library = require("mailru.library")
local listeners = require("mailru.listeners")
local log = require("mailru.log")
local sessions = require("mailru.session")
local text = require("mailru.text")
local tokens = require("mailru.tokens")

local C, public = library.C, library.public

local mailru = {
  null = json.null,
  cancel = require("mailru.cancel").new,
  queue = require("mailru.queue").new,
  on_listener_error = listeners.on_error,
  parse_tokens = tokens.parse,
}

for name, constructor in pairs(sessions) do
  mailru[name] = constructor
end

-- Has a function told of the library's lines, with their levels: "error", "warning", "info", "debug"; nil switches the log
-- off. It holds for the whole process.
mailru.log = public(function(told, level)
  local number = log.levels[level or "info"]
  if not number then
    require("mailru.failure").argument("level", "is not error, warning, info or debug")
  end
  -- Lines that were made before this belong to the one before.
  callbacks.log(told and number or 0)
  log.tell()
  log.told = told
  return true
end)

function mailru.version()
  return ffi.string(C.mailru_version())
end

function mailru.abi_version()
  return C.mailru_abi_version()
end

-- The platform's methods that are known: name, summary, write, privilege, params.
mailru.catalogue = public(function()
  return json.decode(library.answer("mailru_methods"))
end)

-- The platform's errors that are known: code, meaning, transient, advice.
mailru.error_catalogue = public(function()
  return json.decode(library.answer("mailru_errors"))
end)

-- The address at which a user lets the application in, of { app_id, redirect_uri, response_type, scope, state }. Keep
-- state in the user's own session. address is another authorization server's page for logins, such as the sandbox's.
mailru.authorize_url = public(function(given)
  local scope = type(given.scope) == "table" and table.concat(given.scope, " ") or given.scope
  local texts, count = {}, 5
  for index, name in ipairs({ "app_id", "redirect_uri", "response_type", "scope", "state" }) do
    texts[index] = text.text(name, name == "scope" and scope or given[name])
  end
  if given.address then
    local address = text.text("address", given.address)
    return json.decode(library.answer("mailru_authorize_url_at", address, unpack(texts, 1, count))).url
  end
  return json.decode(library.answer("mailru_authorize_url", unpack(texts, 1, count))).url
end)

-- What a redirect brought: the code, or nil and the tokens. state: the one that was sent; false compares none, and then
-- nothing protects against forged logins.
mailru.parse_redirect = public(function(url, state)
  if state == nil then
    require("mailru.failure").argument("state", "is missing; false compares none")
  end
  local expected = text.text("expected_state", state or nil)
  local answer = library.answer("mailru_parse_redirect", text.text("url", url), expected)
  local code = json.decode(answer).code
  return code, not code and tokens.parse(answer) or nil
end)

-- Whether a payment callback's parameters are the platform's: true, or a failure. verify_query is safer.
mailru.verify = public(function(secret_key, params)
  local key, object = text.text("secret_key", secret_key), text.object("params_json", params)
  return json.decode(library.answer("mailru_verify", key, object)).verified
end)

-- The same for launch parameters.
mailru.verify_launch = public(function(secret_key, params)
  local key, object = text.text("secret_key", secret_key), text.object("params_json", params)
  return json.decode(library.answer("mailru_verify_launch", key, object)).verified
end)

-- Checks a query string as it came: "payment", "launch", "cookie" or "launch_by_key". Use the params of the answer and
-- nothing else of the query.
mailru.verify_query = public(function(kind, secret_key, query)
  kind, secret_key = text.text("kind", kind), text.text("secret_key", secret_key)
  return json.decode(library.answer("mailru_verify_query", kind, secret_key, text.text("query", query)))
end)

-- Compiled code may not be called back.
jit.off(true, true)

return mailru
