-- A log of the program's calls, in the form of the library's. The library tells its own lines on its own threads
-- (mailru_set_log), which Lua cannot enter: there is a line for each call here, and none for an attempt.
local failures = require("mailru.failure")
local json = require("mailru.json")
local listeners = require("mailru.listeners")

local LEVELS = { error = 1, warning = 2, info = 3, debug = 4 }
local log = { calls = 0, level = 0 }

-- Has a function told of lines, with their levels; nil switches the log off.
function log.to(told, level)
  log.level = LEVELS[level or "info"] or failures.argument("level", "is not error, warning, info or debug")
  log.told = told
end

local function tell(level, line)
  if log.told and LEVELS[level] <= log.level then
    listeners.tell("logger", log.told, level, line)
  end
end

-- Performs a call and tells what became of it.
function log.around(session, name, perform)
  if not log.told then
    return perform()
  end
  log.calls = log.calls + 1
  local method = name:find("^[%w_.:/-]+$") and name or json.encode(name)
  local line = ("session=%d call=%d method=%s"):format(tonumber(session.number), log.calls, method)
  local worked, answer = pcall(perform)
  if worked then
    tell("debug", ("event=answer %s bytes=%d"):format(line, #answer))
    return answer
  end
  if failures.is(answer) then
    tell("warning", ("event=failure %s code=%s number=%d"):format(line, answer.name, answer.number))
  end
  error(answer, 0)
end

return log
