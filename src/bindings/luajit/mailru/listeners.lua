-- The program's functions that are told of something. What they raise is reported and ends nothing.
local listeners = {}

local function report(message, what)
  io.stderr:write("mailru: the ", what, " raised ", tostring(message), "\n")
end

-- Has a function told of what a listener raises, and the listener's name; nil writes it to standard error.
function listeners.on_error(told)
  listeners.report = told
end

function listeners.tell(what, listener, ...)
  local worked, message = pcall(listener, ...)
  if not worked then
    pcall(listeners.report or report, message, what)
  end
end

return listeners
