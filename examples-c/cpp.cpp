/*
 * The library from C++, by mailru.hpp: sessions that free themselves, failures as exceptions or as values,
 * a token function, a limit and a cancellation of one call's own, and a queue. Needs C++17.
 */
#include <mailru.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "demo.h"

using namespace std::chrono_literals;

int main() try {
    // The first call gets the tokens; the function is told of them before they are used.
    const auto session =
        mailru::session::password_client(APP_ID, PRIVATE_KEY, demo("MAILRU_EMAIL", "demo@mail.ru"),
                                         demo("MAILRU_PASSWORD", "demo"), nullptr, OPTIONS);
    session.on_token([](const mailru::tokens &tokens) {
        std::cout << "new tokens of " << tokens.uid.value_or("somebody") << ": tokens.json() is to be stored now\n";
    });
    std::cout << session.call("users.getInfo").size() << " bytes about me\n";

    // Failures as exceptions, for most programs.
    try {
        session.call("photos.get", mailru::params{{"sig", "mine"}});
    } catch (const mailru::error &error) {
        std::cout << error.what() << '\n';
    }

    // The same as values, where a failure is an everyday thing.
    if (const mailru::result outcome = session.try_call("no.such.method"); !outcome) {
        std::cout << mailru::code_name(outcome.code) << ' ' << outcome.number() << ": " << outcome.message() << '\n';
    }

    // A call with a limit of its own, which another thread may end before.
    const mailru::cancel_handle cancel;
    std::thread impatient([&] { cancel.fire(); });
    const mailru::result ended = session.try_call("friends.get", nullptr, {5s, cancel});
    impatient.join();
    std::cout << "in time, or not: " << mailru::code_name(ended.code) << '\n';

    // Many calls from one thread.
    const mailru::queue queue;
    const std::string methods[] = {"friends.getOnline", "messages.getUnreadCount", "stream.get"};
    for (std::uint64_t tag = 0; tag < std::size(methods); tag++) {
        queue.submit(session, methods[tag], nullptr, tag);
    }
    for (std::size_t taken = 0; taken < std::size(methods); taken++) {
        const std::optional<mailru::completion> completed = queue.next();
        std::cout << methods[completed->tag] << ": " << mailru::code_name(completed->outcome.code) << '\n';
    }
} catch (const mailru::error &error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
}
