-- Renewals that Lua begins, for a function that is told before and after them. The library tells of its own renewals on a
-- thread that Lua cannot enter (mailru_session_on_renewal), so the session has auto_refresh off.
local failures = require("mailru.failure")
local listeners = require("mailru.listeners")

local renewals = {}
local AHEAD = 30 -- how many seconds before the end of a token it is renewed

function renewals.new(listener)
  return { listener = listener, inside = false }
end

-- One renewal, unless the listener brings tokens that another process renewed.
local function renew(session, old)
  local renewal = session.renewal
  renewal.inside = true
  listeners.tell("renewal listener", renewal.listener, "before", session)
  local worked, failure = pcall(function()
    local new = assert(session:tokens())
    if new.access_token == old.access_token or new:expired() then
      session:authorize_or_raise({})
    end
  end)
  listeners.tell("renewal listener", renewal.listener, "after", session)
  renewal.inside = false
  if not worked then
    error(failure, 0)
  end
end

-- Gets the first tokens, which is no renewal; renews those that are about to expire.
function renewals.if_due(session)
  local tokens, failure = session:tokens()
  if not tokens then
    error(failure, 0)
  elseif not tokens.access_token then
    session:authorize_or_raise({})
  elseif tokens.refresh_token and tokens:expired(os.time() + AHEAD) then
    renew(session, tokens)
  end
end

-- Performs a call, and once more if the platform refuses a token that can be renewed.
function renewals.around(session, perform)
  local tokens = assert(session:tokens())
  local worked, answer = pcall(perform)
  if worked then
    return answer
  end
  if not failures.is(answer) or answer.number ~= 102 or not tokens.refresh_token then
    error(answer, 0)
  end
  renew(session, tokens)
  return perform()
end

return renewals
