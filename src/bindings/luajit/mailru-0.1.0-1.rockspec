package = "mailru"
version = "0.1.0-1"
source = { url = "." }
description = {
  summary = "The Mail.ru platform's REST API through libmailru, for LuaJIT",
  license = "MIT",
}
dependencies = { "lua == 5.1", "lua-cjson >= 2.1" }
build = {
  type = "builtin",
  modules = {
    ["mailru"] = "mailru.lua",
    ["mailru.callbacks"] = "mailru/callbacks.lua",
    ["mailru.cancel"] = "mailru/cancel.lua",
    ["mailru.declarations"] = "mailru/declarations.lua",
    ["mailru.failure"] = "mailru/failure.lua",
    ["mailru.json"] = "mailru/json.lua",
    ["mailru.library"] = "mailru/library.lua",
    ["mailru.listeners"] = "mailru/listeners.lua",
    ["mailru.log"] = "mailru/log.lua",
    ["mailru.queue"] = "mailru/queue.lua",
    ["mailru.session"] = "mailru/session.lua",
    ["mailru.text"] = "mailru/text.lua",
    ["mailru.tokens"] = "mailru/tokens.lua",
    ["mailru.waiting"] = "mailru/waiting.lua",
  },
}
