-- What the library calls. It does so on Lua's own thread and inside of its calls (callbacks_in_calls), where Lua may
-- neither raise nor yield. So the functions here only note what they are told, and have the library wait
-- (mailru_session_hold); the program's functions are told after the call of the library.
local ffi = require("ffi")
local library = require("mailru.library")
local log = require("mailru.log")

local C = library.C
local callbacks = {}

-- The sessions that the library may call for, by number; weak, so that they end with their last use.
local sessions = setmetatable({}, { __mode = "v" })
-- What was noted and not told yet, in this process.
local noted, process = {}, nil

local function of_this_process()
  if process ~= library.process() then
    -- What a parent process noted is told by the parent.
    noted, process = {}, library.process()
  end
  return noted
end

local function note(user_data, kind, what)
  local number = ffi.cast("uintptr_t", user_data)
  local all = of_this_process()
  all[#all + 1] = { number = tonumber(number), kind = kind, what = what }
  C.mailru_session_hold(number, 1)
end

-- Kept for ever, as the library is: it has one function of each kind, and numbers in place of pointers.
local functions = {
  token = ffi.cast("mailru_token_callback", function(session, tokens)
    note(session, "token", ffi.string(tokens))
  end),
  renewal = ffi.cast("mailru_renewal_callback", function(session, phase)
    note(session, "renewal", phase)
  end),
  log = ffi.cast("mailru_log_callback", function(_, level, line)
    log.note(level, ffi.string(line))
  end),
}
local set = {
  token = function(number, ...)
    return C.mailru_session_on_token(number, ...)
  end,
  renewal = function(number, ...)
    return C.mailru_session_on_renewal(number, ...)
  end,
}

-- Sets or removes the library's callback of a kind for a session.
function callbacks.listen(session, kind, sets)
  if not sets then
    return library.done(set[kind](session.number, nil, nil, nil), "session")
  end
  local user_data = ffi.cast("void *", ffi.cast("uintptr_t", session.number))
  library.done(set[kind](session.number, functions[kind], user_data, nil), "session")
  sessions[tonumber(session.number)] = session
end

-- Sets or removes the library's log.
function callbacks.log(level)
  if level == 0 then
    return library.done(C.mailru_set_log(nil, nil, nil, 0), "level")
  end
  library.done(C.mailru_set_log(functions.log, nil, nil, level + C.MAILRU_LOG_IN_CALLS), "level")
end

-- The session's functions are not called any more.
function callbacks.forget(number)
  sessions[tonumber(number)] = nil
  C.mailru_session_on_token(number, nil, nil, nil)
  C.mailru_session_on_renewal(number, nil, nil, nil)
end

-- Tells the program's functions what the library told meanwhile; the library goes on when they have returned.
function callbacks.tell()
  log.tell()
  local all = of_this_process()
  while all[1] do
    local one = table.remove(all, 1)
    local session = sessions[one.number]
    local worked, why = pcall(function()
      if session then
        session:told(one.kind, one.what)
      end
    end)
    C.mailru_session_hold(one.number, 0)
    if not worked then
      error(why, 0)
    end
  end
end

-- What the library tells as in any call, before a session ends.
function callbacks.last()
  callbacks.tell()
  C.mailru_session_hold(0, 0)
  callbacks.tell()
end

-- How many milliseconds to wait in the library, after which Lua looks for hooks, and for what was noted.
function callbacks.slice()
  return next(sessions) and 5 or 20
end

-- The library outlives Lua, whose functions it must not call then.
callbacks.at_end = ffi.gc(ffi.new("char[1]"), function()
  C.mailru_set_log(nil, nil, nil, 0)
end)

-- Compiled code may not be called back.
jit.off(true, true)

return callbacks
