-- Sessions, and the ways to them.
local ffi = require("ffi")
local failures = require("mailru.failure")
local json = require("mailru.json")
local library = require("mailru.library")
local listeners = require("mailru.listeners")
local log = require("mailru.log")
local renewals = require("mailru.renewals")
local text = require("mailru.text")
local tokens = require("mailru.tokens")
local waiting = require("mailru.waiting")

local C = library.C
local Session = {}
Session.__index = Session

function Session:__tostring()
  return "session " .. tostring(tonumber(self.number))
end

-- Raises where a call would wait for itself; renews tokens that are about to expire, if that is Lua's to do.
function Session:prepare()
  if self.telling and self.telling.inside or self.renewal and self.renewal.inside then
    error(failures.simple(5, "a call of the session inside its own listener would wait for itself"), 0)
  end
  self:look_for_tokens()
  if self.renewal then
    renewals.if_due(self)
  end
end

-- Tells the function of on_token what is new.
function Session:look_for_tokens(waited)
  if self.telling then
    self.telling.look(waited)
  end
end

function Session:watched(request, name, data, options)
  local progress, cancel = options.progress, options.cancel
  if progress and not cancel then
    cancel = require("mailru.cancel").new()
  end
  local function meanwhile(waited)
    self:look_for_tokens(waited)
    if progress then
      progress(cancel:progress())
    end
  end
  local watching = (self.telling or progress) and meanwhile or nil
  local worked, answer = pcall(log.around, self, name, function()
    return waiting.perform(self.number, request, data, cancel and cancel.number, watching)
  end)
  self:look_for_tokens()
  if progress then
    progress(cancel:progress())
  end
  return worked and answer or error(answer, 0)
end

local function perform(self, request, name, data, options)
  self:prepare()
  local function once()
    return self:watched(request, name, data, options)
  end
  local answer = self.renewal and renewals.around(self, once) or once()
  if options.raw then
    return answer
  end
  return json.decode(answer)
end

local public = library.public

-- Calls a method of the platform. options: timeout (seconds), retries, pass_error, cancel, and raw for the platform's
-- own text.
Session.call = public(function(self, method, params, options)
  options = options or {}
  local request = text.request({ method = text.text("method", method) or "" }, params, options)
  return perform(self, request, method, nil, options)
end)

-- Calls a method with a file: { data, field, name, type }. options.progress is told of the bytes sent and in total.
Session.upload = public(function(self, method, params, file, options)
  options = options or {}
  if type(file) ~= "table" or type(file.data) ~= "string" then
    failures.argument("file", "has no data, which is a string")
  end
  local described = { field = file.field, name = file.name, type = file.type }
  local request = text.request({ method = text.text("method", method) or "", file = described }, params, options)
  return perform(self, request, method, file.data, options)
end)

-- Reads a public page's JSON, such as "mail/nick".
Session.public = public(function(self, path, params, options)
  options = options or {}
  local request = text.request({ public = text.text("path", path) or "" }, params, options)
  return perform(self, request, path, nil, options)
end)

-- The same, for renewals, whose failures are raised.
function Session:authorize_or_raise(options)
  return tokens.parse(self:watched(text.request({ authorize = true }, nil, options), "authorize", nil, options))
end

-- Gets the tokens, or renews them; calls do this by themselves.
Session.authorize = public(function(self, options)
  return self:authorize_or_raise(options or {})
end)

-- Any request as the library's JSON, for what the functions above leave out.
Session.request = public(function(self, request, data, options)
  return perform(self, text.object("request", request) or "{}", "request", data, options or {})
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
  if self.telling then
    self.telling.known()
  end
  return true
end)

-- Has a function told of every new set of tokens before any of them is used: the place to store them; nil removes it. It
-- calls nothing of the session but tokens. Tokens that come while no call waits are told at the next one, or by close.
Session.on_token = public(function(self, listener)
  listeners.abandon(self.holder)
  self.telling = nil
  if not listener then
    library.done(C.mailru_session_on_token(self.number, nil, nil, nil), "session")
    return true
  end
  self.telling = listeners.on_token(self.number, self.holder, function(told)
    listener(tokens.parse(told))
  end)
  return true
end)

-- Ends the calls under way, as MAILRU_CANCELLED; later ones work.
Session.cancel = public(function(self)
  library.done(C.mailru_session_cancel(self.number), "session")
  return true
end)

-- Ends the session and its calls.
function Session:close()
  self:look_for_tokens()
  listeners.abandon(self.holder)
  self.telling = nil
  C.mailru_session_free(self.number)
end

local function create(name, given, texts)
  local options, arguments = {}, {}
  for option, value in pairs(given) do
    options[option] = value
  end
  local renewal = options.on_renewal
  options.on_renewal, options.circuit = nil, nil
  if renewal then
    options.auto_refresh = false
  end
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
  local holder = {}
  local function free(own)
    listeners.abandon(holder)
    C.mailru_session_free(own)
  end
  local self = { number = number, holder = holder, owned = library.owned(number, free) }
  self.renewal = renewal and renewals.new(renewal)
  return setmetatable(self, Session)
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

-- Each takes one table: the texts by name, the circuit where there is a choice ("client" or "server"), and options, their
-- times in seconds. on_renewal is a function that is told "before" and "after" each renewal of the tokens, with the
-- session; then Lua, and not the library, begins the renewals.
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
