// What was seen: a token function that mentions its object ran after the object was gone. Here functions are removed,
// replaced and outlived while they run. Built with the sanitizers, so that a use after freeing ends it; needs C++20 for
// stop tokens.
#include <mailru.hpp>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

using namespace std::chrono_literals;

static int failures = 0;

static void check(bool holds, const char *what) {
    if (!holds) {
        std::cerr << "not so: " << what << '\n';
        failures++;
    }
}

static const char *options() { return std::getenv("MAILRU_OPTIONS"); }

static mailru::session password() {
    return mailru::session::password_client("423004", "7815696ecbf1c96e6894b779456d330e", "demo@mail.ru", "demo",
                                            nullptr, options());
}

// An object whose function takes longer than the call that brought the tokens, and which is destroyed meanwhile.
class owner {
public:
    explicit owner(std::atomic<bool> &over) : session_(password()), over_(over) {
        session_.on_token([this](const mailru::tokens &tokens) {
            std::this_thread::sleep_for(400ms);
            stored_ = tokens.access_token.value();
            over_ = true;
        });
        check(session_.try_call("friends.get", nullptr, 100ms).code == MAILRU_TIMEOUT, "the call ends before");
    }

private:
    std::string stored_;
    mailru::session session_;
    std::atomic<bool> &over_;
};

static void objects_go() {
    std::atomic<bool> over{false};
    std::make_unique<owner>(over).reset();
    check(over, "destroying a session waits for its function");
}

static void functions_go() {
    auto session = password();
    std::atomic<bool> began{false}, over{false}, told{false};
    auto gone = std::make_unique<std::string>();
    session.on_token([&, stored = gone.get()](const mailru::tokens &tokens) {
        began = true;
        std::this_thread::sleep_for(300ms);
        *stored = tokens.access_token.value();
        over = true;
    });
    std::thread caller([&] { session.try_authorize(); });
    while (!began) {
        std::this_thread::yield();
    }
    session.on_token([&](const mailru::tokens &) { told = true; });
    check(over, "replacing a function waits for it");
    gone.reset();
    caller.join();
    session.on_token(nullptr);
    auto other = password();
    other.on_token([&](const mailru::tokens &) { told = true; });
    other.on_token(nullptr);
    other.call("friends.get");
    check(!told, "a removed function does not run");
}

static void functions_remove_themselves() {
    const auto session = password();
    std::atomic<int> told{0};
    session.on_token([&](const mailru::tokens &) {
        told++;
        session.on_token(nullptr);
    });
    session.call("friends.get");
    check(told == 1, "a function removes itself");
}

static void functions_outlive() {
    const auto over = std::make_shared<std::atomic<bool>>(false);
    {
        const auto session = password();
        session.on_token(
            [over](const mailru::tokens &) {
                std::this_thread::sleep_for(300ms);
                *over = true;
            },
            mailru::listening::afterwards_too);
        session.try_call("friends.get", nullptr, 100ms);
    }
    check(!*over, "a function that listens afterwards, too, is not waited for");
    while (over.use_count() > 1) {
        std::this_thread::sleep_for(1ms);
    }
    check(*over, "and is told");
}

static void logs_go() {
    std::atomic<bool> began{false}, over{false};
    auto gone = std::make_unique<std::string>();
    mailru::set_log(
        [&, lines = gone.get()](std::int32_t, const std::string &line) {
            began = true;
            std::this_thread::sleep_for(200ms);
            *lines += line;
            over = true;
        },
        4);
    const auto session = mailru::session::client("423004", "7815696ecbf1c96e6894b779456d330e",
                                                 "be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817", options());
    std::thread caller([&] { session.try_call("friends.get"); });
    while (!began) {
        std::this_thread::yield();
    }
    mailru::set_log(nullptr, 0);
    check(over, "switching the log off waits for its function");
    gone.reset();
    caller.join();
}

// Every request ends with its stop token.
static void stop_tokens() {
    mailru::options silent;
    const std::string base = options();
    const std::size_t start = base.find("http"), end = base.find("/platform");
    silent.public_url = silent.token_url = base.substr(start, end - start) + "/slow";
    silent.more = R"({"api_url":")" + base.substr(start, end - start) + R"(/platform/api"})";
    const auto session = mailru::session::password_client("423004", "7815696ecbf1c96e6894b779456d330e", "demo@mail.ru",
                                                          "demo", nullptr, silent);
    const auto client = mailru::session::client("423004", "7815696ecbf1c96e6894b779456d330e",
                                                "be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817", options());
    const std::function<mailru::result(const mailru::within &)> requests[] = {
        [&](const mailru::within &ends) { return client.try_call("sandbox.echo.slow", nullptr, ends); },
        [&](const mailru::within &ends) {
            return client.try_upload("sandbox.echo.slow", nullptr, "field", "name", "data", ends);
        },
        [&](const mailru::within &ends) {
            return client.try_request(R"({"method":"sandbox.echo.slow"})", std::nullopt, ends);
        },
        [&](const mailru::within &ends) { return session.try_public_page("mail/demo", nullptr, ends); },
        [&](const mailru::within &ends) { return session.try_authorize(ends); },
    };
    for (const auto &request : requests) {
        std::jthread caller([&](std::stop_token stop) {
            check(request(stop).code == MAILRU_CANCELLED, "a stop token ends its call");
            check(request({5s, stop}).code == MAILRU_CANCELLED, "and later ones at once");
        });
        std::this_thread::sleep_for(100ms);
        caller.request_stop();
    }
    check(client.try_call("sandbox.echo", nullptr, std::stop_token()).code == MAILRU_OK, "a token that never stops");
    std::stop_source unused;
    check(client.try_call("sandbox.echo", nullptr, {5s, unused.get_token()}).code == MAILRU_OK, "or is not stopped");
}

int main() {
    objects_go();
    functions_go();
    functions_remove_themselves();
    functions_outlive();
    logs_go();
    stop_tokens();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
