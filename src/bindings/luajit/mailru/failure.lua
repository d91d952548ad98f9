-- Failures: tables that say what they know, and turn into a text.
local ffi = require("ffi")
local json = require("mailru.json")

local C
local Failure = {}
Failure.__index = Failure

function Failure:__tostring()
  return ("%s %d: %s"):format(self.name, self.number, self.message)
end

local failures = {}

-- Called once, with the loaded library.
function failures.use(functions)
  C = functions
end

function failures.is(value)
  return type(value) == "table" and getmetatable(value) == Failure
end

-- code and name: the library's, such as 21 and "MAILRU_TIMEOUT". number: the platform's for its own errors, else minus
-- the code. transient: whether the same call may succeed later. sent: whether a byte may have reached a server.
-- retry_after: in seconds. json: the error as it came. Others are the header's: argument, field, http_status, oauth,
-- platform; and tag, of a queue's submission.
function failures.of(code, text)
  local self = { code = code, json = text, name = ffi.string(C.mailru_code_name(code)) }
  self.number = tonumber(C.mailru_error_number(text))
  self.transient = C.mailru_error_transient(text) == 1
  local status = ffi.new("int32_t[1]")
  local message = C.mailru_error_message(text, status)
  self.message = status[0] == 0 and ffi.string(message) or text
  C.mailru_string_free(message)
  local read, members = pcall(json.decode, text)
  members = read and type(members) == "table" and members.error or {}
  if type(members) == "table" then
    for _, member in ipairs({ "argument", "field", "http_status", "oauth", "platform", "sent" }) do
      if members[member] ~= json.null then
        self[member] = members[member]
      end
    end
    self.retry_after = members.retry_after_ms and members.retry_after_ms / 1000
  end
  return setmetatable(self, Failure)
end

-- A failure that is noticed before C is called, in the library's shape.
function failures.simple(code, text, argument)
  local members = { error_code = -code, error_msg = text, argument = argument, transient = false }
  return failures.of(code, json.encode({ error = members }))
end

-- Raises what is wrong with an argument.
function failures.argument(name, text)
  error(failures.simple(1, name .. " " .. text, name), 0)
end

-- Compiled code may not be called back.
jit.off(true, true)

return failures
