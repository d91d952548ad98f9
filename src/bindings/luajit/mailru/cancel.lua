-- Ends the calls that were given it, from a progress function, say, and tells how much of their requests was sent.
local ffi = require("ffi")
local library = require("mailru.library")

local C = library.C
local Cancel = {}
Cancel.__index = Cancel

-- Its calls end as MAILRU_CANCELLED, later ones at once.
Cancel.fire = library.public(function(self)
  library.done(C.mailru_cancel_fire(self.number), "cancel")
  return true
end)

-- How many bytes of the requests were sent, and how many there are to send.
Cancel.progress = library.public(function(self)
  local sent, total = ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]")
  library.done(C.mailru_cancel_progress(self.number, sent, total), "cancel")
  return tonumber(sent[0]), tonumber(total[0])
end)

function Cancel:close()
  C.mailru_cancel_free(self.number)
end

-- Compiled code may not be called back.
jit.off(true, true)

return {
  new = function()
    local number = C.mailru_cancel_new()
    return setmetatable({ number = number, owned = library.owned(number, C.mailru_cancel_free) }, Cancel)
  end,
}
