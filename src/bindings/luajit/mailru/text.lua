-- What goes to C: texts, JSON, times.
local failures = require("mailru.failure")
local json = require("mailru.json")

local text = {}

-- A text for C, which ends at a NUL; nil stays nil, a whole number becomes its digits.
function text.text(name, value)
  local digits = json.digits(value)
  if type(value) == "number" then
    if value % 1 ~= 0 or value >= 2 ^ 53 or value <= -2 ^ 53 then
      failures.argument(name, "is a number that is not exact: give it as a text")
    end
    digits = ("%d"):format(value)
  end
  value = digits or value
  if value ~= nil and type(value) ~= "string" then
    failures.argument(name, "is a " .. type(value) .. ", not a text")
  end
  if value and value:find("\0", 1, true) then
    failures.argument(name, "holds a NUL character")
  end
  return value
end

-- Parameters as JSON: a table by names, or JSON that was made already.
function text.object(name, value)
  if value == nil or value == "" or type(value) == "table" and next(value) == nil then
    return nil
  end
  if type(value) == "table" then
    if #value > 0 then
      failures.argument(name, "is a list; its values need names, as in { ext = 1 }")
    end
    local written, made = pcall(json.encode, value)
    if not written then
      failures.argument(name, "cannot be written as JSON: " .. tostring(made))
    end
    return made
  end
  value = text.text(name, value)
  local read, made = pcall(json.decode, value)
  if not read or type(made) ~= "table" or not value:find("^%s*{") then
    failures.argument(name, "is not a JSON object")
  end
  return value
end

-- Seconds as whole milliseconds, upwards: a limit is never rounded to none.
function text.milliseconds(name, seconds, may_be_zero)
  local valid = type(seconds) == "number" and seconds < 2 ^ 43 and (seconds > 0 or may_be_zero and seconds == 0)
  if not valid then
    failures.argument(name, "is no positive number of seconds")
  end
  return math.ceil(seconds * 1000)
end

-- A number that fits into uint32_t.
function text.whole(name, number)
  if type(number) ~= "number" or number % 1 ~= 0 or number < 0 or number >= 2 ^ 32 then
    failures.argument(name, "is not a whole number from 0 to 4294967295")
  end
  return number
end

-- Options as JSON; times are given in seconds and without _ms.
function text.options(given)
  local options = {}
  for name, value in pairs(given) do
    options[name] = value
  end
  for _, name in ipairs({ "timeout", "connect_timeout", "retry_delay" }) do
    if options[name] ~= nil then
      options[name .. "_ms"] = text.milliseconds(name, options[name])
      options[name] = nil
    end
  end
  return text.object("options", options)
end

-- The library's JSON for a request. params may be JSON that is to be sent digit by digit; text.object made sure that it
-- is an object.
function text.request(members, params, options)
  for name in pairs(options) do
    local known = { timeout = true, retries = true, pass_error = true, cancel = true, raw = true, progress = true }
    if not known[name] then
      failures.argument(tostring(name), "is no option of a call")
    end
  end
  members.timeout_ms = options.timeout and text.milliseconds("timeout", options.timeout)
  members.retries, members.pass_error = options.retries, options.pass_error
  local request = text.object("request", members)
  params = text.object("params_json", params)
  return params and request:sub(1, -2) .. ',"params":' .. params .. "}" or request
end

return text
