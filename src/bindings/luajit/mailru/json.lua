-- JSON by lua-cjson, in which numbers keep every digit: those that Lua's numbers cannot hold are read as strings.
local ffi = require("ffi")
local cjson = require("cjson").new()

cjson.encode_max_depth(1000)
cjson.decode_max_depth(10000)

local json = { null = cjson.null }
local EXACT = 2 ^ 53

-- A 64-bit integer's digits, without LuaJIT's suffix; nil for other values.
function json.digits(value)
  if type(value) == "cdata" and (ffi.istype("int64_t", value) or ffi.istype("uint64_t", value)) then
    return (tostring(value):gsub("U?LL$", ""))
  end
end

-- cjson writes 14 digits of a number. What needs more goes through it as a marked string, whose marks come off again.
local function marked(digits)
  return "\1" .. digits .. "\1"
end

local function written(number)
  if number ~= number or tonumber(("%.14g"):format(number)) == number then
    return number
  elseif number % 1 ~= 0 then
    return marked(("%.17g"):format(number))
  elseif number >= EXACT or number <= -EXACT then
    error("a number is too large to be exact: give it as a text or as 123ULL", 0)
  end
  return marked(("%d"):format(number))
end

-- What cjson can write; raises what is wrong with a value.
local function writable(value)
  local digits = json.digits(value)
  if digits then
    return marked(digits)
  elseif type(value) == "number" then
    return written(value)
  elseif type(value) == "table" then
    local copy = {}
    for key, member in pairs(value) do
      copy[key] = writable(member)
    end
    return copy
  end
  return value
end

function json.encode(value)
  return (cjson.encode(writable(value)):gsub('"\\u0001(%-?%d[%d.e+-]*)\\u0001"', "%1"))
end

-- Puts integers of more than 15 digits, outside of strings, between quotation marks.
local function with_long_integers_quoted(text)
  local parts, at = {}, 1
  while true do
    local first, last = text:find("%-?%d[%d.eE+-]*", at)
    local quote = text:find('"', at, true)
    if quote and (not first or quote < first) then
      -- Past the string's end: a quotation mark after an even number of backslashes.
      local finish = quote
      repeat
        finish = text:find('["\\]', finish + 1)
        local escaped = finish and text:byte(finish) == 92
        finish = finish and escaped and finish + 1 or finish
      until not finish or not escaped
      finish = finish or #text
      parts[#parts + 1] = text:sub(at, finish)
      at = finish + 1
    elseif first then
      local number = text:sub(first, last)
      local long = #number > 15 and number:find("^%-?%d+$")
      parts[#parts + 1] = text:sub(at, first - 1) .. (long and '"' .. number .. '"' or number)
      at = last + 1
    else
      parts[#parts + 1] = text:sub(at)
      return table.concat(parts)
    end
  end
end

function json.decode(text)
  return cjson.decode(text:find("%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d") and with_long_integers_quoted(text) or text)
end

return json
