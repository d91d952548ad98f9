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

static mailru::session make_session(const test_case &test) {
    const std::string app_id = "423004", private_key = "7815696ecbf1c96e6894b779456d330e";
    if (test.circuit == "client") {
        return mailru::session::client(app_id, private_key, "be6ef89965d58e56dec21acb9b62bdaa",
                                       "1324730981306483817", given(test.options));
    }
    if (test.circuit == "server") {
        return mailru::session::server(app_id, "3dad9cbf9baaa0360c0f2ba372d25716",
                                       "be6ef89965d58e56dec21acb9b62bdaa", given(test.options));
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

static std::string cancelled(const mailru::session &session, const test_case &test) {
    const mailru::cancel_handle cancel;
    std::thread elsewhere([&] {
        std::this_thread::sleep_for(200ms);
        cancel.fire();
    });
    mailru::result outcome = session.try_call(test.method, nullptr, 0s, &cancel);
    elsewhere.join();
    session.call("sandbox.echo");
    return std::move(outcome).value();
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
    std::vector<std::string> told;
    // Dies with the function that holds it: a leak would show in its count.
    const auto witness = std::make_shared<int>();
    session.on_token([&told, witness](const std::string &tokens) { told.push_back(tokens); });
    session.call("sandbox.echo");
    std::string answer = session.call(test.method);
    session.on_token(nullptr);
    // The thread that used the function last may have it a moment longer.
    for (int waited = 0; witness.use_count() > 1; waited++) {
        require(waited < 2000, "the token function was leaked");
        std::this_thread::sleep_for(1ms);
    }
    require(told.size() == 2 && told[0] != told[1] && told[1] == session.tokens(), "not told of both sets of tokens");
    return answer;
}

static std::string act(const test_case &test) {
    mailru::session session = make_session(test);
    if (test.action == "call") {
        return session.call(test.method, given(test.parameters));
    }
    if (test.action == "sign") {
        return session.sign(test.method, given(test.parameters));
    }
    if (test.action == "deadline") {
        return session.call(test.method, given(test.parameters), 300ms);
    }
    if (test.action == "stale") {
        return stale(std::move(session), test);
    }
    using action = std::string (*)(const mailru::session &, const test_case &);
    const std::pair<const char *, action> actions[] = {
        {"together", together}, {"crowd", crowd}, {"cancel", cancelled}, {"renewal", renewal}};
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
