/*
 * libmailru for C++17 and later: the functions of mailru.h as classes that clean up after themselves.
 *
 * A FIRST PROGRAM
 *
 *     #include <mailru.hpp>
 *     #include <iostream>
 *
 *     int main() try {
 *         auto session = mailru::session::client("423004", "7815696ecbf1c96e6894b779456d330e",
 *                                                "be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817");
 *         std::cout << session.call("friends.get", mailru::params{{"ext", true}}) << '\n';
 *     } catch (const mailru::error &error) {
 *         std::cerr << error.what() << '\n';
 *         return 1;
 *     }
 *
 * Compile it with: c++ -std=c++17 first.cpp -lmailru
 *
 * ERRORS come in two forms. call throws mailru::error, which carries the code and the error's JSON, and reads it:
 * number, message, transient, sent, retry_after and so on. try_call returns a mailru::result, which holds the code and
 * the JSON of success or failure, and reads it in the same way. So does every other pair of names. A constructor such
 * as session::client throws, unless it is given a result to fill: then it returns an empty session on failure.
 *
 * OBJECTS (session, queue, cancel_handle) own a handle of the library: they can be moved but not
 * copied, and the destructor frees. Freeing during calls on other threads is safe: these end with
 * their answer or as MAILRU_CANCELLED. An empty or moved-from object answers MAILRU_INVALID_HANDLE.
 *
 * FUNCTIONS that the library calls (on_token, on_renewal, set_log) do not run any more when their removal or their
 * replacement has returned, nor when their session was destroyed: what they refer to may go then. So do not remove one
 * while you hold a lock that it needs. One that owns what it refers to may listen afterwards_too, and then is told of the
 * tokens of a request that outlived its session. They may not throw.
 *
 * LIMITS of a call's own: mailru::within, of a time, of a cancel_handle, or of a std::stop_token (C++20):
 * session.call("friends.get", nullptr, 5s), or session.call("friends.get", nullptr, {5s, thread_stop_token}).
 *
 * THREADS: any member may be called from any thread at any time, except moving and destruction,
 * which need what every C++ object needs: nobody else at the object.
 *
 * TEXT is UTF-8. Arguments are string literals or std::strings; where mailru.h says that NULL means
 * "not given", so does nullptr here, and it is the default. Options, tokens and parameters are structures
 * (mailru::options, mailru::tokens, mailru::params) or JSON as text. Answers are the platform's JSON as std::string,
 * for the JSON library of your choice. What each function does, blocks on and answers is told in mailru.h.
 */

#ifndef MAILRU_HPP
#define MAILRU_HPP

#include "mailru.h"

#include "mailru/json.hpp"
#include "mailru/values.hpp"
#include "mailru/error.hpp"
#include "mailru/callbacks.hpp"
#include "mailru/session.hpp"
#include "mailru/queue.hpp"
#include "mailru/helpers.hpp"

#endif /* MAILRU_HPP */
