-- The Mail.ru platform's REST API through libmailru, by LuaJIT's FFI, which reads the installed header itself.
--
--     local session = mailru.client(app_id, private_key, access_token, uid)
--     local friends, code, failure = session:call("friends.get", '{"ext":1}')
--
-- As is Lua's way, a failure is nil, a code's name and the error's JSON. LuaJIT has one thread: calls at once go
-- through a queue. A token function would be called on a thread of the library's, which LuaJIT cannot:
-- session:tokens() tells the current ones instead, to be stored when they have changed.
local ffi = require("ffi")

-- The header without what is the preprocessor's.
local function declarations()
  local command = assert(io.popen("pkg-config --variable=includedir mailru"))
  local folder = command:read("*l")
  command:close()
  local file = assert(io.open(folder .. "/mailru.h"))
  local header = file:read("*a")
  file:close()
  return (header:gsub("#ifdef __cplusplus.-#endif[^\n]*", ""):gsub("\n#[^\n]*", ""))
end

ffi.cdef(declarations())
local C = ffi.load("libmailru.so.0")

-- Takes over a string of the library's.
local function taken(json)
  if json == nil then
    return nil
  end
  local text = ffi.string(json)
  C.mailru_string_free(json)
  return text
end

local function name(code)
  return ffi.string(C.mailru_code_name(code))
end

-- Runs a function that answers with JSON and a code.
local function answer(call, ...)
  local arguments, count = { ... }, select("#", ...)
  local code = ffi.new("int32_t[1]")
  arguments[count + 1] = code
  local text = taken(call(unpack(arguments, 1, count + 1)))
  if code[0] ~= 0 then
    return nil, name(code[0]), text
  end
  return text
end

-- Runs a function that gives an error object beside a handle or a code.
local function made(call, ...)
  local arguments, count = { ... }, select("#", ...)
  local failure = ffi.new("char *[1]")
  arguments[count + 1] = failure
  local outcome = call(unpack(arguments, 1, count + 1))
  local text = taken(failure[0])
  if text then
    return nil, name(-tonumber(text:match('"error_code":(-?%d+)'))), text
  end
  return outcome
end

-- A number of the library's, freed when it is collected.
local function owned(number, free)
  local holder = ffi.new("uint64_t[1]", number)
  return ffi.gc(holder, function(kept)
    free(kept[0])
  end)
end

local Session = {}
Session.__index = Session

local function session(constructor, ...)
  local number, code, failure = made(C[constructor], ...)
  if not number then
    return nil, code, failure
  end
  return setmetatable({ number = number, holder = owned(number, C.mailru_session_free) }, Session)
end

-- Frees the session now.
function Session:close()
  C.mailru_session_free(self.number)
end

-- limit_ms nil is the session's.
function Session:call(method, params, limit_ms)
  return answer(C.mailru_call_within, self.number, method, params, limit_ms or 0, 0)
end

function Session:sign(method, params)
  return answer(C.mailru_sign, self.number, method, params)
end

function Session:tokens()
  return answer(C.mailru_tokens, self.number)
end

local Queue = {}
Queue.__index = Queue

function Queue:submit(caller, method, params, tag)
  return made(C.mailru_queue_submit, self.number, caller.number, method, params, tag)
end

-- The next completion: its tag, then what call would return. nil, "MAILRU_QUEUE_EMPTY" if there is none in time.
function Queue:next(timeout_ms)
  local tag = ffi.new("uint64_t[1]")
  local text, code, failure = answer(C.mailru_queue_next, self.number, timeout_ms or -1, tag)
  return tonumber(tag[0]), text, code, failure
end

function Queue:cancel(tag)
  C.mailru_queue_cancel(self.number, tag)
end

local mailru = {}

function mailru.client(app_id, private_key, access_token, uid, options)
  return session("mailru_client_session_new", app_id, private_key, access_token, uid, options)
end

function mailru.server(app_id, secret_key, access_token, options)
  return session("mailru_server_session_new", app_id, secret_key, access_token, options)
end

function mailru.password_client(app_id, private_key, email, password, scope, options)
  return session("mailru_password_client_session_new", app_id, private_key, email, password, scope, options)
end

function mailru.queue(workers, capacity)
  local number, code, failure = made(C.mailru_queue_new, workers or 0, capacity or 0)
  if not number then
    return nil, code, failure
  end
  return setmetatable({ number = number, holder = owned(number, C.mailru_queue_free) }, Queue)
end

return mailru
