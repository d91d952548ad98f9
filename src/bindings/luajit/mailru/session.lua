-- Sessions, and the ways to them.
local callbacks = require("mailru.callbacks")
local failures = require("mailru.failure")
local json = require("mailru.json")
local library = require("mailru.library")
local listeners = require("mailru.listeners")
local text = require("mailru.text")
local tokens = require("mailru.tokens")
local waiting = require("mailru.waiting")

local C = library.C
local Session = {}
Session.__index = Session

function Session:__tostring()
  return "session " .. tostring(tonumber(self.number))
end

-- Raises where a call would wait for itself.
function Session:prepare()
  if self.inside then
    error(failures.simple(5, "a call of the session inside its own listener would wait for itself"), 0)
  end
  callbacks.tell()
end

-- Tells a listener what the library told.
function Session:told(kind, what)
  self.inside = true
  local worked, why = pcall(function()
    if kind == "token" and self.token_listener then
      listeners.tell("token listener", self.token_listener, tokens.parse(what))
    elseif kind == "renewal" and self.renewal_listener then
      listeners.tell("renewal listener", self.renewal_listener, what == 1 and "before" or "after", self)
    end
  end)
  self.inside = false
  if not worked then
    error(why, 0)
  end
end

local function performed(self, request, data, options)
  self:prepare()
  local progress, cancel = options.progress, options.cancel
  if progress and not cancel then
    cancel = require("mailru.cancel").new()
  end
  local function meanwhile()
    progress(cancel:progress())
  end
  local answer = waiting.perform(self.number, request, data, cancel and cancel.number, progress and meanwhile)
  if progress then
    meanwhile()
  end
  return answer
end

local function perform(self, request, data, options)
  local answer = performed(self, request, data, options)
  return options.raw and answer or json.decode(answer)
end

local public = library.public

-- Calls a method of the platform. options: timeout (seconds), retries, pass_error, cancel, and raw for the platform's
-- own text.
Session.call = public(function(self, method, params, options)
  options = options or {}
  local request = text.request({ method = text.text("method", method) or "" }, params, options)
  return perform(self, request, nil, options)
end)

-- Calls a method with a file: { data, field, name, type }. options.progress is told of the bytes sent and in total.
Session.upload = public(function(self, method, params, file, options)
  options = options or {}
  if type(file) ~= "table" or type(file.data) ~= "string" then
    failures.argument("file", "has no data, which is a string")
  end
  local described = { field = file.field, name = file.name, type = file.type }
  local request = text.request({ method = text.text("method", method) or "", file = described }, params, options)
  return perform(self, request, file.data, options)
end)

-- Reads a public page's JSON, such as "mail/nick".
Session.public = public(function(self, path, params, options)
  options = options or {}
  local request = text.request({ public = text.text("path", path) or "" }, params, options)
  return perform(self, request, nil, options)
end)

-- Gets the tokens, or renews them; calls do this by themselves.
Session.authorize = public(function(self, options)
  options = options or {}
  return tokens.parse(performed(self, text.request({ authorize = true }, nil, options), nil, options))
end)

-- Any request as the library's JSON, for what the functions above leave out.
Session.request = public(function(self, request, data, options)
  return perform(self, text.object("request", request) or "{}", data, options or {})
end)

-- A call as it would be sent, without sending it.
Session.sign = public(function(self, method, params, options)
  method, params = text.text("method", method), text.object("params_json", params)
  local answer = library.answer("mailru_sign", self.number, method, params)
  return options and options.raw and answer or json.decode(answer)
end)

-- The present tokens.
Session.tokens = public(function(self)
  return tokens.parse(library.answer("mailru_tokens", self.number))
end)

-- What the session has done: counters and latencies, see the header at mailru_stats.
Session.stats = public(function(self)
  return json.decode(library.answer("mailru_stats", self.number))
end)

-- Goes on with newer tokens.
Session.set_tokens = public(function(self, newer)
  library.made("mailru_session_set_tokens", self.number, text.text("tokens_json", tokens.text(newer)))
  return true
end)

-- Has a function told of every new set of tokens before any of them is used: the place to store them; nil removes it. It
-- calls nothing of the session but tokens and set_tokens. Tokens that come while Lua is not inside of the library are told
-- at its next call, or by close.
Session.on_token = public(function(self, listener)
  callbacks.tell()
  self.token_listener = listener
  callbacks.listen(self, "token", listener)
  return true
end)

-- Has a function told "before" each renewal of the tokens (take a lock, load, set_tokens: if they are newer, no request is
-- made) and "after" it, with the session; nil removes it.
Session.on_renewal = public(function(self, listener)
  callbacks.tell()
  self.renewal_listener = listener
  callbacks.listen(self, "renewal", listener)
  return true
end)

-- Ends the calls under way, as MAILRU_CANCELLED; later ones work.
Session.cancel = public(function(self)
  library.done(C.mailru_session_cancel(self.number), "session")
  return true
end)

-- Ends the session and its calls.
function Session:close()
  callbacks.last()
  callbacks.forget(self.number)
  C.mailru_session_free(self.number)
end

local function create(name, given, texts)
  local options, arguments = {}, {}
  for option, value in pairs(given) do
    options[option] = value
  end
  local on_renewal = options.on_renewal
  options.on_renewal, options.circuit, options.callbacks_in_calls = nil, nil, true
  for index, member in ipairs(texts) do
    local value = options[member]
    options[member] = nil
    if member == "scope" and type(value) == "table" then
      value = table.concat(value, " ")
    end
    arguments[index] = text.text(member, member == "tokens" and tokens.text(value) or value)
  end
  arguments[#texts + 1] = text.options(options)
  local number = library.made(name, unpack(arguments, 1, #texts + 1))
  local function free(own)
    callbacks.forget(own)
    C.mailru_session_free(own)
  end
  local self = setmetatable({ number = number, owned = library.owned(number, free) }, Session)
  if on_renewal then
    self.renewal_listener = on_renewal
    callbacks.listen(self, "renewal", true)
  end
  return self
end

-- The functions by circuit, and the texts that they take. A text of another circuit is an unknown option.
local function grant(functions, own)
  return public(function(given)
    local circuit = given.circuit or "inferred"
    local name = functions[circuit]
    if not name then
      failures.argument("circuit", 'is neither "client" nor "server"')
    end
    local keys = { client = { "private_key" }, server = { "secret_key" }, inferred = { "private_key", "secret_key" } }
    local texts = { "app_id" }
    for _, names in ipairs({ keys[circuit], own }) do
      for _, member in ipairs(names) do
        texts[#texts + 1] = member
      end
    end
    return create(name, given, texts)
  end)
end

local function simple(name, ...)
  local texts = { ... }
  return public(function(given)
    return create(name, given or {}, texts)
  end)
end

-- Compiled code may not be called back.
jit.off(true, true)

-- Each takes one table: the texts by name, the circuit where there is a choice ("client" or "server"), and options, their
-- times in seconds; on_renewal is the function of Session.on_renewal.
return {
  public = simple("mailru_public_session_new"),
  token = simple("mailru_token_session_new", "app_id", "private_key", "secret_key", "access_token", "uid"),
  client = simple("mailru_client_session_new", "app_id", "private_key", "access_token", "uid"),
  server = simple("mailru_server_session_new", "app_id", "secret_key", "access_token"),
  stored = simple("mailru_stored_session_new", "app_id", "private_key", "secret_key", "tokens"),
  code = grant({
    inferred = "mailru_code_session_new",
    client = "mailru_code_client_session_new",
    server = "mailru_code_server_session_new",
  }, { "code", "redirect_uri" }),
  password = grant({
    inferred = "mailru_password_session_new",
    client = "mailru_password_client_session_new",
    server = "mailru_password_server_session_new",
  }, { "email", "password", "scope" }),
  refresh = grant({
    inferred = "mailru_refresh_session_new",
    client = "mailru_refresh_client_session_new",
    server = "mailru_refresh_server_session_new",
  }, { "refresh_token" }),
}
