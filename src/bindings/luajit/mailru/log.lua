-- The library's log, told to a function after the call of the library that it belongs to.
local listeners = require("mailru.listeners")

local LEVELS = { error = 1, warning = 2, info = 3, debug = 4 }
local NAMES = { "error", "warning", "info", "debug" }
-- Lines that were not told yet, with their levels.
local log = { lines = {}, inside = false, levels = LEVELS }

-- For the library's callback. A logger that calls the library is not told of that, or it would never end.
function log.note(level, line)
  if not log.inside then
    log.lines[#log.lines + 1] = { NAMES[level], line }
  end
end

-- Tells the lines that were noted.
function log.tell()
  if log.inside then
    return
  end
  log.inside = true
  while log.lines[1] do
    local line = table.remove(log.lines, 1)
    if log.told then
      listeners.tell("logger", log.told, line[1], line[2])
    end
  end
  log.inside = false
end

-- Compiled code may not be called back.
jit.off(true, true)

return log
