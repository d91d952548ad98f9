-- A session's tokens, in the names of the library's. tokens:json() is what to store, and mailru.stored takes it.
local json = require("mailru.json")

local MEMBERS = { "access_token", "refresh_token", "expires_in", "expires_at", "uid", "token_type", "circuit" }

local Tokens = {}
Tokens.__index = Tokens

function Tokens:json()
  local members = {}
  for _, name in ipairs(MEMBERS) do
    members[name] = self[name] == nil and json.null or self[name]
  end
  return json.encode(members)
end

function Tokens:expired(now)
  return self.expires_at ~= nil and self.expires_at <= (now or os.time())
end

-- Without the secrets, which would else stand in logs.
function Tokens:__tostring()
  return ("tokens of user %s, until %s"):format(tostring(self.uid), tostring(self.expires_at))
end

function Tokens.__eq(one, other)
  return one:json() == other:json()
end

local tokens = {}

function tokens.parse(text)
  local members, self = json.decode(text), {}
  for _, name in ipairs(MEMBERS) do
    if members[name] ~= json.null then
      self[name] = members[name]
    end
  end
  return setmetatable(self, Tokens)
end

function tokens.text(value)
  return type(value) == "table" and getmetatable(value) == Tokens and value:json() or value
end

return tokens
