# frozen_string_literal: true

# The cases of cases.tsv in Ruby.

require "json"
require "logger"
require "mailru"
require "stringio"

Case = Struct.new(:name, :action, :circuit, :options, :method, :parameters, :code, :contains)

APP_ID = "423004"
PRIVATE_KEY = "7815696ecbf1c96e6894b779456d330e"
SECRET_KEY = "3dad9cbf9baaa0360c0f2ba372d25716"
SESSION_KEY = "be6ef89965d58e56dec21acb9b62bdaa"

KEYS = { app_id: APP_ID, private_key: PRIVATE_KEY }.freeze

def session_of(test)
  options = JSON.parse(test.options || "{}", symbolize_names: true)
  case test.circuit
  when "client"
    Mailru::Session.client(**KEYS, access_token: SESSION_KEY, uid: "1324730981306483817", **options)
  when "server"
    Mailru::Session.server(app_id: APP_ID, secret_key: SECRET_KEY, access_token: SESSION_KEY, **options)
  else
    Mailru::Session.password(**KEYS, email: "demo@mail.ru", password: "demo", circuit: :client, **options)
  end
end

def together(session, test)
  threads = Array.new(test.parameters.to_i) { |tag| Thread.new { session.call(test.method, { tag: tag }) } }
  threads.each_with_index { |thread, tag| raise thread.value.to_s unless thread.value["tag"] == tag.to_s }
  ""
end

def crowd(session, test)
  calls = test.parameters.to_i
  queue = Mailru::Queue.new(workers: calls, capacity: calls)
  calls.times { |tag| queue.submit(session, test.method, { tag: tag }, tag: tag) }
  tags = Array.new(calls) do
    done = queue.next(timeout: 30)
    raise done.inspect unless done.value["tag"] == done.tag.to_s

    done.tag
  end
  raise "a completion is missing" unless tags.uniq.size == calls

  queue.close
  ""
end

def cancelled(session, test)
  cancel = Mailru::Cancel.new
  Thread.new { sleep(0.2) && cancel.fire }
  session.call(test.method, cancel: cancel)
ensure
  session.call("sandbox.echo")
end

def renewal(session, test)
  told = []
  phases = []
  session.on_token { |tokens| told << tokens }
  session.on_renewal { |phase| phases << phase }
  session.call("sandbox.echo")
  json = session.call(test.method, raw: true)
  session.on_token
  20.times { phases.size == 2 ? break : sleep(0.05) }
  session.on_renewal
  raise "told #{told.size} times" unless told.size == 2 && told[0] != told[1] && told[1] == session.tokens
  raise "the phases were #{phases}" unless phases == %i[before after]

  json
end

def queued(session, test)
  queue = Mailru::Queue.new
  queue.request(session, { method: test.method, params: JSON.parse(test.parameters) }, tag: "tag")
  done = queue.next(timeout: 30)
  raise "another tag" unless done.tag == "tag"

  done.value(raw: true)
end

def queue_cancelled(session, test)
  queue = Mailru::Queue.new
  queue.submit(session, test.method, tag: "tag")
  sleep 0.2
  queue.cancel("tag")
  queue.next(timeout: 2).value(raw: true)
end

def session_cancelled(session, test)
  Thread.new { sleep(0.2) && session.cancel }
  session.call(test.method)
end

FILE = { file: "x" * 100_000, field: "img_file", name: "snail.jpg" }.freeze

def upload(session, test)
  cancel = Mailru::Cancel.new
  json = session.upload(test.method, test.parameters, **FILE, cancel: cancel, raw: true)
  sent, total = cancel.progress
  raise "#{sent} of #{total} bytes" unless sent == total && total > 100_000

  json
end

def upload_cancelled(session, test)
  cancel = Mailru::Cancel.new
  Thread.new { sleep(0.2) && cancel.fire }
  session.upload(test.method, **FILE, cancel: cancel)
end

def failed(session, test)
  session.call(test.method)
rescue Mailru::APIError => error
  known = error.code == 10 && error.number == 2 && !error.text.empty? && !error.transient? && error.message.include?("2")
  raise "the members are wrong" unless known

  raise
end

def logged(session, test)
  lines = StringIO.new
  Mailru.logger = Logger.new(lines, level: :debug)
  json = session.call(test.method, raw: true)
  40.times { lines.string.include?("event=answer") ? break : sleep(0.05) }
  Mailru.logger = nil
  told = lines.string.lines.any? { |line| line.include?("event=answer") && line.include?("method=#{test.method}") }
  raise lines.string unless told && !lines.string.include?(SESSION_KEY)

  json
end

REDIRECT = "https://example.org/login"

def log_in(test)
  options = JSON.parse(test.options, symbolize_names: true)
  url = Mailru.authorize_url(app_id: APP_ID, redirect_uri: REDIRECT, state: "case-state")
  raise url unless url.include?("state=case-state")

  code = Mailru.parse_redirect(test.parameters, state: "case-state")
  session = Mailru::Session.code(**KEYS, code: code, redirect_uri: REDIRECT, circuit: :client, **options)
  tokens = session.authorize.to_json
  session.close
  restarted(tokens, options, test)
end

def restarted(tokens, options, test)
  session = Mailru::Session.stored(**KEYS, tokens: tokens, **options)
  session.tokens = tokens if tokens
  session.call(test.method, raw: true)
ensure
  session&.close
end

def through_file(session, test)
  session.call(test.method)
  session.close
  restarted(nil, JSON.parse(test.options, symbolize_names: true), test)
end

def act_alone(test)
  case test.action
  when "methods" then JSON.generate(Mailru.catalogue)
  when "errors" then JSON.generate(Mailru.error_catalogue)
  when "verify" then JSON.generate(Mailru.verify_query(test.method, SECRET_KEY, test.parameters))
  when "payment" then JSON.generate(verified: Mailru.verify(SECRET_KEY, JSON.parse(test.parameters)))
  when "launch" then JSON.generate(verified: Mailru.verify_launch(SECRET_KEY, JSON.parse(test.parameters)))
  when "redirect" then Mailru.parse_redirect(test.parameters, state: "case-state")
  when "login" then log_in(test)
  end
end

def act(test)
  return act_alone(test) unless test.circuit

  session = session_of(test)
  case test.action
  when "call" then session.call(test.method, test.parameters, raw: true)
  when "sign" then session.sign(test.method, test.parameters, raw: true)
  when "deadline" then session.call(test.method, test.parameters, timeout: 0.3)
  when "together" then together(session, test)
  when "crowd" then crowd(session, test)
  when "cancel" then cancelled(session, test)
  when "renewal" then renewal(session, test)
  when "request"
    session.request({ method: test.method, params: JSON.parse(test.parameters) }, raw: true)
  when "queued" then queued(session, test)
  when "queue-cancel" then queue_cancelled(session, test)
  when "session-cancel" then session_cancelled(session, test)
  when "upload" then upload(session, test)
  when "upload-cancel" then upload_cancelled(session, test)
  when "public" then session.public(test.method, raw: true)
  when "rate"
    test.parameters.to_i.times { session.call(test.method) }
    ""
  when "error" then failed(session, test)
  when "log" then logged(session, test)
  when "stats"
    2.times { session.call(test.method) }
    JSON.generate(session.stats)
  when "token-file" then through_file(session, test)
  when "stale"
    session.close
    session.call(test.method, test.parameters)
  end
ensure
  session&.close
end

def verdict(test)
  begin
    code = "MAILRU_OK"
    json = act(test)
  rescue Mailru::Error => error
    code = error.name
    json = error.json
  end
  return "ok #{test.name}" if code == test.code && json.include?(test.contains || "")

  "FAIL #{test.name} #{code} #{json}"
rescue StandardError => error
  "FAIL #{test.name} #{error.inspect}"
end

$stdout.sync = true
File.foreach(ENV.fetch("MAILRU_CASES"), encoding: "UTF-8", chomp: true) do |line|
  next if line.start_with?("#")

  puts verdict(Case.new(*line.split("\t").map { |column| column == "-" ? nil : column }))
end
