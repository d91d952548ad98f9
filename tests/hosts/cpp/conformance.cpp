// The cases of cases.tsv in C++, by mailru.hpp.
#include <mailru.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

struct test_case {
    std::string name, action, circuit, options, method, parameters, code, contains;
};

// A failure of the wrapper or of an expectation, as opposed to the library's.
static void require(bool holds, const std::string &what) {
    if (!holds) {
        throw std::logic_error(what);
    }
}

static mailru::text given(const std::string &column) {
    return column == "-" ? mailru::text() : mailru::text(column);
}

static const std::string app_id = "423004", private_key = "7815696ecbf1c96e6894b779456d330e",
                         secret_key = "3dad9cbf9baaa0360c0f2ba372d25716",
                         session_key = "be6ef89965d58e56dec21acb9b62bdaa", redirect_uri = "https://example.org/login",
                         state = "case-state";

static mailru::session make_session(const test_case &test) {
    if (test.circuit == "client") {
        return mailru::session::client(app_id, private_key, session_key, "1324730981306483817", given(test.options));
    }
    if (test.circuit == "server") {
        return mailru::session::server(app_id, secret_key, session_key, given(test.options));
    }
    return mailru::session::password_client(app_id, private_key, "demo@mail.ru", "demo", nullptr,
                                            given(test.options));
}

static std::string parameters(std::uint64_t tag) { return "{\"tag\":" + std::to_string(tag) + "}"; }
static std::string repeated(std::uint64_t tag) { return "\"tag\":\"" + std::to_string(tag) + "\""; }

static std::string together(const mailru::session &session, const test_case &test) {
    std::vector<std::thread> threads;
    std::vector<mailru::result> results(std::stoul(test.parameters));
    for (std::size_t tag = 0; tag < results.size(); tag++) {
        threads.emplace_back([&, tag] { results[tag] = session.try_call(test.method, parameters(tag)); });
    }
    for (std::size_t tag = 0; tag < results.size(); tag++) {
        threads[tag].join();
    }
    for (std::size_t tag = 0; tag < results.size(); tag++) {
        require(std::move(results[tag]).value().find(repeated(tag)) != std::string::npos, "another call's answer");
    }
    return "";
}

static std::string crowd(const mailru::session &session, const test_case &test) {
    const auto calls = static_cast<std::uint32_t>(std::stoul(test.parameters));
    const mailru::queue queue(calls, calls);
    for (std::uint64_t tag = 0; tag < calls; tag++) {
        queue.submit(session, test.method, parameters(tag), tag);
    }
    std::set<std::uint64_t> tags;
    while (tags.size() < calls) {
        std::optional<mailru::completion> completed = queue.next(30s);
        require(completed.has_value() && tags.insert(completed->tag).second, "a completion is missing or doubled");
        require(std::move(completed->outcome).value().find(repeated(completed->tag)) != std::string::npos,
                "another call's answer");
    }
    require(!queue.next(0s), "one completion too many");
    return "";
}

// A call that another thread ends after 200 ms; then another, which works.
template <typename Call, typename End>
static std::string ended(const mailru::session &session, Call call, End end) {
    std::thread elsewhere([&] {
        std::this_thread::sleep_for(200ms);
        end();
    });
    mailru::result outcome = call();
    elsewhere.join();
    session.call("sandbox.echo");
    return std::move(outcome).value();
}

static std::string cancelled(const mailru::session &session, const test_case &test) {
    const mailru::cancel_handle cancel;
    return ended(session, [&] { return session.try_call(test.method, nullptr, cancel); }, [&] { cancel.fire(); });
}

static std::string session_cancelled(const mailru::session &session, const test_case &test) {
    return ended(session, [&] { return session.try_call(test.method); }, [&] { session.cancel(); });
}

static const std::string snail(100000, 's');

static std::string uploaded(const mailru::session &session, const test_case &test) {
    const mailru::cancel_handle cancel;
    std::string answer =
        session.upload(test.method, given(test.parameters), "img_file", "snail.jpg", snail, cancel, "image/jpeg");
    const mailru::upload_progress progress = cancel.progress();
    require(progress.sent == progress.total && progress.total > snail.size(), "the progress is not complete");
    return answer;
}

static std::string upload_cancelled(const mailru::session &session, const test_case &test) {
    const mailru::cancel_handle cancel;
    const auto upload = [&] {
        return session.try_upload(test.method, nullptr, "img_file", "snail.jpg", snail, cancel);
    };
    return ended(session, upload, [&] { cancel.fire(); });
}

static std::string described(const test_case &test) {
    return R"({"method":")" + test.method + R"(","params":)" + test.parameters + "}";
}

static std::string queued(const mailru::session &session, const test_case &test) {
    const mailru::queue queue;
    queue.request(session, described(test), 7);
    std::optional<mailru::completion> completed = queue.next(30s);
    require(completed && completed->tag == 7, "not this completion");
    return std::move(completed->outcome).value();
}

static std::string queue_cancelled(const mailru::session &session, const test_case &test) {
    const mailru::queue queue;
    queue.submit(session, test.method, nullptr, 7);
    std::this_thread::sleep_for(200ms);
    queue.cancel(7);
    std::optional<mailru::completion> completed = queue.next(30s);
    require(completed && completed->tag == 7, "not this completion");
    return std::move(completed->outcome).value();
}

static std::string in_turn(const mailru::session &session, const test_case &test) {
    for (unsigned long calls = std::stoul(test.parameters); calls > 0; calls--) {
        session.call(test.method);
    }
    return "";
}

static std::string failed(const mailru::session &session, const test_case &test) {
    const mailru::result outcome = session.try_call(test.method);
    require(outcome.number() == 2 && !outcome.message().empty() && !outcome.transient() && outcome.sent(),
            "the members of a result");
    try {
        return session.call(test.method);
    } catch (const mailru::error &error) {
        require(error.code() == MAILRU_API_ERROR && error.number() == 2 && error.message() == outcome.message() &&
                    !error.transient() && error.sent(),
                "the members of an error");
        throw;
    }
}

static std::string logged(const mailru::session &session, const test_case &test) {
    std::string log;
    bool found = false;
    mailru::set_log(
        [&](std::int32_t, const std::string &line) {
            found = found || (line.find("event=answer") != std::string::npos &&
                              line.find("method=" + test.method) != std::string::npos);
            log += line;
        },
        4);
    std::string answer = session.call(test.method);
    mailru::set_log(nullptr, 0);
    require(found && log.find(session_key) == std::string::npos, "the log is " + log);
    return answer;
}

static std::string counted(const mailru::session &session, const test_case &test) {
    session.call(test.method);
    session.call(test.method);
    const mailru::stats stats = session.stats();
    require(stats.calls == 2 && stats.in_flight == 0 && stats.attempts >= 2 && stats.bytes_in > 0, stats.json);
    return stats.json;
}

// A call with the tokens of an earlier session, which that session is given once more.
static std::string restarted(const std::optional<mailru::tokens> &tokens, const test_case &test) {
    const auto session = tokens ? mailru::session::stored(app_id, private_key, nullptr, *tokens, given(test.options))
                                : mailru::session::stored(app_id, private_key, nullptr, nullptr, given(test.options));
    if (tokens) {
        session.set_tokens(*tokens);
    }
    return session.call(test.method);
}

static std::string log_in(const test_case &test) {
    const std::string address = mailru::authorize_url(app_id, redirect_uri, nullptr, nullptr, state);
    require(address.find("state=" + state) != std::string::npos, "the address is " + address);
    const mailru::redirect came = mailru::parse_redirect(test.parameters, state);
    auto session =
        mailru::session::code_client(app_id, private_key, came.code.value(), redirect_uri, given(test.options));
    const mailru::tokens tokens = session.authorize();
    require(tokens == session.tokens() && tokens.valid(), "other tokens are shown than came");
    session.reset();
    // Stored as text, as a program would.
    return restarted(mailru::tokens::parse(tokens.json()), test);
}

static std::string through_file(mailru::session session, const test_case &test) {
    session.call(test.method);
    session.reset();
    return restarted(std::nullopt, test);
}

static std::string stale(mailru::session session, const test_case &test) {
    // The number outlives the object only in code that keeps it.
    const mailru_session number = session.get();
    const mailru::session moved = std::move(session);
    require(!session && moved.get() == number, "moving takes the handle along");
    mailru_session_free(number);
    return moved.call(test.method);
}

static std::string renewal(const mailru::session &session, const test_case &test) {
    std::vector<mailru::tokens> told;
    std::vector<std::int32_t> phases;
    session.on_token([&told](const mailru::tokens &tokens) { told.push_back(tokens); });
    session.on_renewal([&phases](std::int32_t phase) { phases.push_back(phase); });
    session.call("sandbox.echo");
    std::string answer = session.call(test.method);
    // The end of a renewal is told after its tokens; a function that was removed has returned.
    session.on_token(nullptr);
    session.on_renewal(nullptr);
    require(told.size() == 2 && told[0] != told[1] && told[1] == session.tokens(), "not told of both sets of tokens");
    require(phases == std::vector<std::int32_t>{1, 0}, "not told of the renewal");
    return answer;
}

// What needs no session.
static std::string act_alone(const test_case &test) {
    if (test.action == "methods") {
        return mailru::methods();
    }
    if (test.action == "errors") {
        return mailru::errors();
    }
    if (test.action == "verify") {
        const mailru::result outcome = mailru::try_verify_query(test.method, secret_key, test.parameters);
        require(!outcome || mailru::verify_query(test.method, secret_key, test.parameters).params.count("app_id") == 1,
                "no parameters");
        return mailru::result(outcome).value();
    }
    if (test.action == "payment") {
        require(mailru::verify(secret_key, test.parameters), "refused");
        return mailru::try_verify(secret_key, test.parameters).value();
    }
    if (test.action == "launch") {
        require(mailru::verify_launch(secret_key, test.parameters), "refused");
        return mailru::try_verify_launch(secret_key, test.parameters).value();
    }
    if (test.action == "redirect") {
        return mailru::parse_redirect(test.parameters, state).code.value();
    }
    require(test.action == "login", "unknown action");
    return log_in(test);
}

static std::string act(const test_case &test) {
    if (test.circuit == "-") {
        return act_alone(test);
    }
    mailru::session session = make_session(test);
    const mailru::text parameters_json = given(test.parameters);
    if (test.action == "call") {
        return session.call(test.method, parameters_json);
    }
    if (test.action == "sign") {
        return session.sign(test.method, parameters_json);
    }
    if (test.action == "deadline") {
        return session.call(test.method, parameters_json, 300ms);
    }
    if (test.action == "request") {
        return session.request(described(test));
    }
    if (test.action == "public") {
        return session.public_page(test.method, parameters_json);
    }
    if (test.action == "stale") {
        return stale(std::move(session), test);
    }
    if (test.action == "token-file") {
        return through_file(std::move(session), test);
    }
    using action = std::string (*)(const mailru::session &, const test_case &);
    const std::pair<const char *, action> actions[] = {
        {"together", together}, {"crowd", crowd}, {"cancel", cancelled}, {"renewal", renewal}, {"queued", queued},
        {"queue-cancel", queue_cancelled}, {"session-cancel", session_cancelled}, {"upload", uploaded},
        {"upload-cancel", upload_cancelled}, {"rate", in_turn}, {"error", failed}, {"log", logged},
        {"stats", counted}};
    for (const auto &[name, function] : actions) {
        if (test.action == name) {
            return function(session, test);
        }
    }
    throw std::logic_error("unknown action");
}

static std::string verdict(const test_case &test) {
    mailru::result outcome;
    try {
        outcome.json = act(test);
    } catch (const mailru::error &error) {
        outcome = {error.code(), error.json()};
    } catch (const std::exception &error) {
        return "FAIL " + test.name + " " + error.what();
    }
    const bool contained = test.contains == "-" || outcome.json.find(test.contains) != std::string::npos;
    if (mailru::code_name(outcome.code) == test.code && contained) {
        return "ok " + test.name;
    }
    return "FAIL " + test.name + " " + mailru::code_name(outcome.code) + " " + outcome.json;
}

int main() {
    std::ifstream file(std::getenv("MAILRU_CASES"));
    for (std::string line; std::getline(file, line);) {
        if (line.front() == '#') {
            continue;
        }
        std::istringstream columns(line);
        test_case test;
        for (std::string *column : {&test.name, &test.action, &test.circuit, &test.options, &test.method,
                                    &test.parameters, &test.code, &test.contains}) {
            std::getline(columns, *column, '\t');
        }
        std::cout << verdict(test) << std::endl;
    }
}
