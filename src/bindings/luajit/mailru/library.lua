-- The C functions, and what all of their answers have in common.
local ffi = require("ffi")
local declarations = require("mailru.declarations")
local failures = require("mailru.failure")

local ABI_VERSION = 0

ffi.cdef(declarations)

local library = {}

-- Where the library is looked for: in MAILRU_LIBRARY alone if that is set, else beside this file, then by the system's
-- loader.
function library.candidates()
  local named = os.getenv("MAILRU_LIBRARY")
  if named and named ~= "" then
    return { named }
  end
  local names = { Windows = "mailru.dll", OSX = "libmailru.dylib" }
  local name = names[jit.os] or "libmailru.so." .. ABI_VERSION
  local folder = debug.getinfo(1, "S").source:match("^@(.*[/\\])") or "./"
  return { folder .. name, name }
end

local function load()
  local tried = {}
  for _, path in ipairs(library.candidates()) do
    local loaded, C = pcall(ffi.load, path)
    if loaded and C.mailru_abi_version() == ABI_VERSION then
      return C
    end
    local why = loaded and "its binary interface is another" or tostring(C)
    tried[#tried + 1] = "  " .. path .. ": " .. why
  end
  local advice = "libmailru cannot be loaded; set MAILRU_LIBRARY to the path of its file. Tried:\n"
  error(advice .. table.concat(tried, "\n"), 0)
end

local C = load()
library.C = C
failures.use(C)

-- Takes over a string of the library's.
function library.taken(text)
  if text == nil then
    return nil
  end
  local copy = ffi.string(text)
  C.mailru_string_free(text)
  return copy
end

-- Runs a function that answers with JSON and a code, which is its last argument.
function library.answer(name, ...)
  local arguments, count, code = { ... }, select("#", ...) + 1, ffi.new("int32_t[1]")
  arguments[count] = code
  local json = library.taken(C[name](unpack(arguments, 1, count)))
  if code[0] ~= 0 then
    error(failures.of(code[0], json), 0)
  end
  return json
end

-- Runs a function that gives an error's JSON beside a handle or a code, in its last argument.
function library.made(name, ...)
  local arguments, count, failure = { ... }, select("#", ...) + 1, ffi.new("char *[1]")
  arguments[count] = failure
  local outcome = C[name](unpack(arguments, 1, count))
  local json = library.taken(failure[0])
  if json then
    error(failures.of(-tonumber(C.mailru_error_number(json)), json), 0)
  end
  return outcome
end

-- Raises what a function answered that gives a code alone.
function library.done(code, what)
  if code ~= 0 then
    error(failures.simple(code, what .. ": " .. ffi.string(C.mailru_code_name(code))), 0)
  end
end

if jit.os == "Windows" then
  library.process = function()
    return 0
  end
else
  ffi.cdef("int mailru_lua_getpid(void) __asm__(\"getpid\");")
  library.process = function()
    return ffi.C.mailru_lua_getpid()
  end
end

-- A number of the library's, freed when it is collected.
function library.owned(number, free)
  return ffi.gc(ffi.new("uint64_t[1]", number), function(kept)
    free(kept[0])
  end)
end

-- A function of the module's as its callers see it: a failure is nil and the failure, any other error is raised.
function library.public(inner)
  local function results(worked, ...)
    if worked then
      return ...
    end
    local failure = ...
    if failures.is(failure) then
      return nil, failure
    end
    error(failure, 0)
  end
  return function(...)
    return results(pcall(inner, ...))
  end
end

-- Compiled code may not be called back.
jit.off(true, true)

return library
