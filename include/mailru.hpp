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
 *         std::cout << session.call("friends.get", R"({"ext":1})") << '\n';
 *     } catch (const mailru::error &error) {
 *         std::cerr << error.what() << '\n';
 *         return 1;
 *     }
 *
 * Compile it with: c++ -std=c++17 first.cpp -lmailru
 *
 * ERRORS come in two forms. call throws mailru::error, which carries the code and the error's JSON;
 * try_call returns a mailru::result, which holds the code and the JSON of success or failure. So does
 * every other pair of names. A constructor such as session::client throws, unless it is given a
 * result to fill: then it returns an empty session on failure.
 *
 * OBJECTS (session, queue, cancel_handle) own a handle of the library: they can be moved but not
 * copied, and the destructor frees. Freeing during calls on other threads is safe: these end with
 * their answer or as MAILRU_CANCELLED. An empty or moved-from object answers MAILRU_INVALID_HANDLE.
 *
 * THREADS: any member may be called from any thread at any time, except moving and destruction,
 * which need what every C++ object needs: nobody else at the object.
 *
 * TEXT is UTF-8. Arguments are string literals or std::strings; where mailru.h says that NULL means
 * "not given", so does nullptr here, and it is the default. JSON goes in and comes out as std::string,
 * for the JSON library of your choice. What each function does, blocks on and answers is told in mailru.h.
 */

#ifndef MAILRU_HPP
#define MAILRU_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "mailru.h"

namespace mailru {

/** An argument: a literal, a std::string, or nullptr for "not given". It keeps no copy. */
class text {
public:
    text(std::nullptr_t = nullptr) noexcept {}
    text(const char *value) noexcept : pointer_(value) {}
    text(const std::string &value) noexcept : pointer_(value.c_str()) {}

    /** As the C functions take it. */
    const char *c_str() const noexcept { return pointer_; }

private:
    const char *pointer_ = nullptr;
};

/** The name of a code, such as "MAILRU_OK". */
inline const char *code_name(std::int32_t code) noexcept { return mailru_code_name(code); }

/** A failure: which kind, and the error's JSON. */
class error : public std::runtime_error {
public:
    error(std::int32_t code, std::string json)
        : std::runtime_error(std::string(code_name(code)) + ": " + json), code_(code),
          json_(std::make_shared<const std::string>(std::move(json))) {}

    /** One of the MAILRU_… constants. */
    std::int32_t code() const noexcept { return code_; }
    /** {"error":{"error_code":N,"error_msg":"...",...}} */
    const std::string &json() const noexcept { return *json_; }
    /** The number in the JSON: the platform's own, or minus the code. */
    std::int64_t number() const noexcept { return mailru_error_number(json_->c_str()); }
    /** Whether the same call may succeed later. */
    bool transient() const noexcept { return mailru_error_transient(json_->c_str()) != 0; }

private:
    std::int32_t code_;
    /* Shared, so that copying the exception cannot throw. */
    std::shared_ptr<const std::string> json_;
};

/** The outcome of a function that does not throw: a code, and the JSON of success or failure. */
struct result {
    std::int32_t code = MAILRU_OK;
    std::string json = {};

    /** Whether it succeeded. */
    explicit operator bool() const noexcept { return code == MAILRU_OK; }

    /** The number in a failure's JSON: the platform's own, or minus the code. */
    std::int64_t number() const noexcept { return mailru_error_number(json.c_str()); }
    /** Whether the same call may succeed later; false for success. */
    bool transient() const noexcept { return mailru_error_transient(json.c_str()) != 0; }

    /** The JSON of success; throws mailru::error for a failure. */
    std::string value() && {
        if (code != MAILRU_OK) {
            throw error(code, std::move(json));
        }
        return std::move(json);
    }
};

namespace detail {

struct string_deleter {
    void operator()(char *json) const noexcept { mailru_string_free(json); }
};

/** Copies a string of the library's and releases it, even if the copy fails. */
inline std::string taken(char *json) {
    const std::unique_ptr<char, string_deleter> owned(json);
    return json == nullptr ? std::string() : std::string(json);
}

/** Runs a function that answers with JSON and a code. */
template <typename Function> result answer(Function &&function) {
    std::int32_t code = MAILRU_INTERNAL_ERROR;
    std::string json = taken(function(&code));
    return {code, std::move(json)};
}

/** The failure of a function that answers with a handle or a code. The error's number is minus the code. */
template <typename Function> std::uint64_t made(result *outcome, Function &&function) {
    char *json = nullptr;
    const std::uint64_t number = function(&json);
    result failure = {MAILRU_OK, taken(json)};
    if (number == 0) {
        const std::int64_t code = -failure.number();
        failure.code = code > 0 ? static_cast<std::int32_t>(code) : MAILRU_INTERNAL_ERROR;
    }
    if (outcome != nullptr) {
        *outcome = std::move(failure);
    } else {
        std::move(failure).value();
    }
    return number;
}

/** The outcome of a verification as an answer. */
inline bool verified(result outcome) {
    return outcome.code != MAILRU_SIGNATURE_MISMATCH && !std::move(outcome).value().empty();
}

/** A code alone, as an outcome. */
inline result coded(std::int32_t code) {
    return {code, code == MAILRU_OK ? std::string() : "{\"error\":{\"error_code\":" + std::to_string(-code) +
                                                          ",\"error_msg\":\"" + code_name(code) +
                                                          "\",\"transient\":false}}"};
}

/** A handle that is freed once. */
template <void (*Free)(std::uint64_t)> class handle {
public:
    handle() noexcept = default;
    handle(handle &&other) noexcept : number_(std::exchange(other.number_, 0)) {}
    handle &operator=(handle &&other) noexcept {
        handle(std::move(other)).swap(*this);
        return *this;
    }
    ~handle() { Free(number_); }

    /** Whether there is one. */
    explicit operator bool() const noexcept { return number_ != 0; }
    /** The number, for the functions of mailru.h; it stays this object's. */
    std::uint64_t get() const noexcept { return number_; }
    /** Frees it now, as the destructor would. */
    void reset() noexcept { Free(std::exchange(number_, 0)); }

protected:
    explicit handle(std::uint64_t number) noexcept : number_(number) {}

private:
    void swap(handle &other) noexcept { std::swap(number_, other.number_); }

    std::uint64_t number_ = 0;
};

/** A time limit as the C functions count it: whole milliseconds, rounded up. */
inline std::int64_t milliseconds(std::chrono::nanoseconds limit) {
    return std::chrono::ceil<std::chrono::milliseconds>(limit).count();
}

/** A file's bytes as the C functions take them. An empty view may be a null pointer, which would be no file. */
inline const std::uint8_t *bytes(std::optional<std::string_view> data) noexcept {
    return !data ? nullptr : reinterpret_cast<const std::uint8_t *>(data->empty() ? "" : data->data());
}

} // namespace detail

/** What a host's own function is told: new tokens as JSON. It may not throw. */
using token_function = std::function<void(const std::string &tokens_json)>;
/** What a host's own function is told around a renewal: 1 before its request, 0 when it is over. It may not throw. */
using renewal_function = std::function<void(std::int32_t phase)>;
/** What a log function is told: 1 error, 2 warning, 3 info, 4 debug, and a line. It may not throw. */
using log_function = std::function<void(std::int32_t level, const std::string &message)>;

namespace detail {

extern "C" {
inline void mailru_hpp_tokens(void *user_data, const char *tokens_json) noexcept {
    (*static_cast<token_function *>(user_data))(tokens_json);
}
inline void mailru_hpp_forget_tokens(void *user_data) noexcept { delete static_cast<token_function *>(user_data); }
inline void mailru_hpp_renewal(void *user_data, std::int32_t phase) noexcept {
    (*static_cast<renewal_function *>(user_data))(phase);
}
inline void mailru_hpp_forget_renewal(void *user_data) noexcept { delete static_cast<renewal_function *>(user_data); }
inline void mailru_hpp_log(void *user_data, std::int32_t level, const char *message) noexcept {
    (*static_cast<log_function *>(user_data))(level, message);
}
inline void mailru_hpp_forget_log(void *user_data) noexcept { delete static_cast<log_function *>(user_data); }
}

} // namespace detail

/** How much of the request bodies was sent, in bytes; total is 0 before the first attempt. */
struct upload_progress {
    std::uint64_t sent = 0;
    std::uint64_t total = 0;
};

/** Ends the calls that were given it. */
class cancel_handle : public detail::handle<mailru_cancel_free> {
public:
    cancel_handle() : handle(mailru_cancel_new()) {}

    /** Its calls end within 50 ms, later ones at once; it stays fired. */
    void fire() const noexcept { mailru_cancel_fire(get()); }

    /** How far the uploads that were given it are. */
    upload_progress progress() const noexcept {
        upload_progress progress;
        mailru_cancel_progress(get(), &progress.sent, &progress.total);
        return progress;
    }
};

/** A session; made by one of the static functions, whose arguments are those of mailru.h. */
class session : public detail::handle<mailru_session_free> {
public:
    /** An empty one. */
    session() noexcept = default;

    static session public_pages(text options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_public_session_new, options);
    }
    static session token(text app_id, text private_key, text secret_key, text access_token, text uid,
                         text options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_token_session_new, app_id, private_key, secret_key, access_token, uid, options);
    }
    static session client(text app_id, text private_key, text access_token, text uid, text options = {},
                          result *outcome = nullptr) {
        return made(outcome, mailru_client_session_new, app_id, private_key, access_token, uid, options);
    }
    static session server(text app_id, text secret_key, text access_token, text options = {},
                          result *outcome = nullptr) {
        return made(outcome, mailru_server_session_new, app_id, secret_key, access_token, options);
    }
    static session code(text app_id, text private_key, text secret_key, text code, text redirect_uri,
                        text options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_code_session_new, app_id, private_key, secret_key, code, redirect_uri, options);
    }
    static session code_client(text app_id, text private_key, text code, text redirect_uri, text options = {},
                               result *outcome = nullptr) {
        return made(outcome, mailru_code_client_session_new, app_id, private_key, code, redirect_uri, options);
    }
    static session code_server(text app_id, text secret_key, text code, text redirect_uri, text options = {},
                               result *outcome = nullptr) {
        return made(outcome, mailru_code_server_session_new, app_id, secret_key, code, redirect_uri, options);
    }
    static session password(text app_id, text private_key, text secret_key, text email, text password,
                            text scope = {}, text options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_password_session_new, app_id, private_key, secret_key, email, password, scope,
                    options);
    }
    static session password_client(text app_id, text private_key, text email, text password, text scope = {},
                                   text options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_password_client_session_new, app_id, private_key, email, password, scope,
                    options);
    }
    static session password_server(text app_id, text secret_key, text email, text password, text scope = {},
                                   text options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_password_server_session_new, app_id, secret_key, email, password, scope, options);
    }
    static session refresh(text app_id, text private_key, text secret_key, text refresh_token, text options = {},
                           result *outcome = nullptr) {
        return made(outcome, mailru_refresh_session_new, app_id, private_key, secret_key, refresh_token, options);
    }
    static session refresh_client(text app_id, text private_key, text refresh_token, text options = {},
                                  result *outcome = nullptr) {
        return made(outcome, mailru_refresh_client_session_new, app_id, private_key, refresh_token, options);
    }
    static session refresh_server(text app_id, text secret_key, text refresh_token, text options = {},
                                  result *outcome = nullptr) {
        return made(outcome, mailru_refresh_server_session_new, app_id, secret_key, refresh_token, options);
    }
    static session stored(text app_id, text private_key, text secret_key, text tokens_json, text options = {},
                          result *outcome = nullptr) {
        return made(outcome, mailru_stored_session_new, app_id, private_key, secret_key, tokens_json, options);
    }

    /** Calls a method of the platform. */
    result try_call(text method, text params = {}) const {
        return detail::answer(
            [&](std::int32_t *code) { return mailru_call(get(), method.c_str(), params.c_str(), code); });
    }
    std::string call(text method, text params = {}) const { return try_call(method, params).value(); }

    /** The same with a time limit of its own (0: the session's) and something that may end it. */
    result try_call(text method, text params, std::chrono::nanoseconds limit,
                    const cancel_handle *cancel = nullptr) const {
        const mailru_cancel number = cancel == nullptr ? 0 : cancel->get();
        return detail::answer([&](std::int32_t *code) {
            return mailru_call_within(get(), method.c_str(), params.c_str(), detail::milliseconds(limit), number,
                                      code);
        });
    }
    std::string call(text method, text params, std::chrono::nanoseconds limit,
                     const cancel_handle *cancel = nullptr) const {
        return try_call(method, params, limit, cancel).value();
    }

    /** Calls a method with a file; data may hold any bytes. */
    result try_upload(text method, text params, text field, text file_name, std::string_view data) const {
        return detail::answer([&](std::int32_t *code) {
            return mailru_upload(get(), method.c_str(), params.c_str(), field.c_str(), file_name.c_str(),
                                 detail::bytes(data), data.size(), code);
        });
    }
    std::string upload(text method, text params, text field, text file_name, std::string_view data) const {
        return try_upload(method, params, field, file_name, data).value();
    }

    /** Performs any request, described as JSON; data is the file of an upload. */
    result try_request(text request, std::optional<std::string_view> data = std::nullopt,
                       const cancel_handle *cancel = nullptr) const {
        const mailru_cancel number = cancel == nullptr ? 0 : cancel->get();
        return detail::answer([&](std::int32_t *code) {
            return mailru_request(get(), request.c_str(), detail::bytes(data), data ? data->size() : 0, number, code);
        });
    }
    std::string request(text request, std::optional<std::string_view> data = std::nullopt,
                        const cancel_handle *cancel = nullptr) const {
        return try_request(request, data, cancel).value();
    }

    /** Reads a public page (mailru_public). */
    result try_public_page(text path, text params = {}) const {
        return detail::answer(
            [&](std::int32_t *code) { return mailru_public(get(), path.c_str(), params.c_str(), code); });
    }
    std::string public_page(text path, text params = {}) const { return try_public_page(path, params).value(); }

    /** Gets or renews the tokens. */
    result try_authorize() const {
        return detail::answer([&](std::int32_t *code) { return mailru_authorize(get(), code); });
    }
    std::string authorize() const { return try_authorize().value(); }

    /** Shows the tokens, without network. */
    result try_tokens() const {
        return detail::answer([&](std::int32_t *code) { return mailru_tokens(get(), code); });
    }
    std::string tokens() const { return try_tokens().value(); }

    /** What the session has done since it was made, without network. */
    result try_stats() const {
        return detail::answer([&](std::int32_t *code) { return mailru_stats(get(), code); });
    }
    std::string stats() const { return try_stats().value(); }

    /** Shows a call as it would be sent, without network. */
    result try_sign(text method, text params = {}) const {
        return detail::answer(
            [&](std::int32_t *code) { return mailru_sign(get(), method.c_str(), params.c_str(), code); });
    }
    std::string sign(text method, text params = {}) const { return try_sign(method, params).value(); }

    /** Has a function told of every new set of tokens, before they are used; an empty one removes it. */
    result try_on_token(token_function function) const {
        if (!function) {
            return detail::coded(mailru_session_on_token(get(), nullptr, nullptr, nullptr));
        }
        /* Released by the library, when the function will not be called again or was refused. */
        auto *kept = new token_function(std::move(function));
        return detail::coded(mailru_session_on_token(get(), detail::mailru_hpp_tokens, kept,
                                                     detail::mailru_hpp_forget_tokens));
    }
    void on_token(token_function function) const { try_on_token(std::move(function)).value(); }

    /** Has a function told of each renewal, before its request and afterwards; an empty one removes it. */
    result try_on_renewal(renewal_function function) const {
        if (!function) {
            return detail::coded(mailru_session_on_renewal(get(), nullptr, nullptr, nullptr));
        }
        auto *kept = new renewal_function(std::move(function));
        return detail::coded(mailru_session_on_renewal(get(), detail::mailru_hpp_renewal, kept,
                                                       detail::mailru_hpp_forget_renewal));
    }
    void on_renewal(renewal_function function) const { try_on_renewal(std::move(function)).value(); }

    /** Gives the session newer tokens. */
    result try_set_tokens(text tokens_json) const {
        char *error = nullptr;
        const std::int32_t code = mailru_session_set_tokens(get(), tokens_json.c_str(), &error);
        return {code, detail::taken(error)};
    }
    void set_tokens(text tokens_json) const { try_set_tokens(tokens_json).value(); }

    /** Ends the calls of other threads within 50 ms; later calls work. */
    void cancel() const noexcept { mailru_session_cancel(get()); }

private:
    explicit session(std::uint64_t number) noexcept : handle(number) {}

    template <typename Constructor, typename... Texts>
    static session made(result *outcome, Constructor constructor, const Texts &...texts) {
        return session(detail::made(outcome, [&](char **error) { return constructor(texts.c_str()..., error); }));
    }
};

/** A call that a queue performed. */
struct completion {
    std::uint64_t tag = 0;
    result outcome = {};
};

/** Many calls for few threads, such as the one of an event loop. */
class queue : public detail::handle<mailru_queue_free> {
public:
    /** workers: how many calls are in flight at most; capacity: the most submissions not handed out yet; 0: defaults. */
    explicit queue(std::uint32_t workers = 0, std::uint32_t capacity = 0, result *outcome = nullptr)
        : handle(detail::made(outcome, [&](char **error) { return mailru_queue_new(workers, capacity, error); })) {}

    /** Hands a call over and returns at once; the tag comes back with its completion. */
    result try_submit(const session &caller, text method, text params, std::uint64_t tag) const {
        char *error = nullptr;
        const std::int32_t code =
            mailru_queue_submit(get(), caller.get(), method.c_str(), params.c_str(), tag, &error);
        return {code, detail::taken(error)};
    }
    void submit(const session &caller, text method, text params, std::uint64_t tag) const {
        try_submit(caller, method, params, tag).value();
    }

    /** Hands any request over, as session::request performs it; the file is copied. */
    result try_request(const session &caller, text request, std::uint64_t tag,
                       std::optional<std::string_view> data = std::nullopt,
                       const cancel_handle *cancel = nullptr) const {
        const mailru_cancel number = cancel == nullptr ? 0 : cancel->get();
        char *error = nullptr;
        const std::int32_t code = mailru_queue_request(get(), caller.get(), request.c_str(), detail::bytes(data),
                                                       data ? data->size() : 0, number, tag, &error);
        return {code, detail::taken(error)};
    }
    void request(const session &caller, text request, std::uint64_t tag,
                 std::optional<std::string_view> data = std::nullopt, const cancel_handle *cancel = nullptr) const {
        try_request(caller, request, tag, data, cancel).value();
    }

    /**
     * The next completion; none if nothing completed in time. No limit is no end of waiting. The outcome of a
     * queue that was freed is MAILRU_INVALID_HANDLE, which no call in a queue ends with.
     */
    std::optional<completion> next(std::optional<std::chrono::nanoseconds> limit = std::nullopt) const {
        constexpr std::int64_t longest = std::numeric_limits<std::int32_t>::max();
        const std::int64_t wait = limit ? detail::milliseconds(*limit) : -1;
        completion completed;
        completed.outcome = detail::answer([&](std::int32_t *code) {
            return mailru_queue_next(get(), static_cast<std::int32_t>(wait < longest ? wait : longest),
                                     &completed.tag, code);
        });
        if (completed.outcome.code == MAILRU_QUEUE_EMPTY) {
            return std::nullopt;
        }
        return completed;
    }

    /** Completes what bears this tag as MAILRU_CANCELLED. */
    void cancel(std::uint64_t tag) const noexcept { mailru_queue_cancel(get(), tag); }

    /** Readable while a completion waits, or -1; it stays the queue's. */
    std::int32_t descriptor() const noexcept { return mailru_queue_fd(get()); }
};

/** The library's version, such as "0.1.0". */
inline std::string version() { return mailru_version(); }

/** The platform's errors: an array of {code, meaning, transient, advice}. */
inline std::string errors() { return detail::answer(mailru_errors).value(); }

/** The text of an error's JSON alone. */
inline std::string error_message(const std::string &error_json) {
    return detail::answer([&](std::int32_t *code) { return mailru_error_message(error_json.c_str(), code); }).value();
}

/** The catalogue of the platform's methods. */
inline std::string methods() { return detail::answer(mailru_methods).value(); }

/** The address at which a user lets the application in: {"url"}. */
inline result try_authorize_url(text app_id, text redirect_uri, text response_type = {}, text scope = {},
                                text state = {}) {
    return detail::answer([&](std::int32_t *code) {
        return mailru_authorize_url(app_id.c_str(), redirect_uri.c_str(), response_type.c_str(), scope.c_str(),
                                    state.c_str(), code);
    });
}
inline std::string authorize_url(text app_id, text redirect_uri, text response_type = {}, text scope = {},
                                 text state = {}) {
    return try_authorize_url(app_id, redirect_uri, response_type, scope, state).value();
}

/** The same at another authorization server than the platform's. */
inline result try_authorize_url_at(text address, text app_id, text redirect_uri, text response_type = {},
                                   text scope = {}, text state = {}) {
    return detail::answer([&](std::int32_t *code) {
        return mailru_authorize_url_at(address.c_str(), app_id.c_str(), redirect_uri.c_str(), response_type.c_str(),
                                       scope.c_str(), state.c_str(), code);
    });
}
inline std::string authorize_url_at(text address, text app_id, text redirect_uri, text response_type = {},
                                    text scope = {}, text state = {}) {
    return try_authorize_url_at(address, app_id, redirect_uri, response_type, scope, state).value();
}

/** What the browser brought back: {"code"} or the tokens. */
inline result try_parse_redirect(text url, text expected_state = {}) {
    return detail::answer(
        [&](std::int32_t *code) { return mailru_parse_redirect(url.c_str(), expected_state.c_str(), code); });
}
inline std::string parse_redirect(text url, text expected_state = {}) {
    return try_parse_redirect(url, expected_state).value();
}

/** Whether a payment callback is the platform's: MAILRU_OK or MAILRU_SIGNATURE_MISMATCH. */
inline result try_verify(text secret_key, text params) {
    return detail::answer(
        [&](std::int32_t *code) { return mailru_verify(secret_key.c_str(), params.c_str(), code); });
}
/** The same as true or false; throws where the question itself is wrong. */
inline bool verify(text secret_key, text params) { return detail::verified(try_verify(secret_key, params)); }

/** Whether the launch parameters of an embedded application are the platform's. */
inline result try_verify_launch(text secret_key, text params) {
    return detail::answer(
        [&](std::int32_t *code) { return mailru_verify_launch(secret_key.c_str(), params.c_str(), code); });
}
inline bool verify_launch(text secret_key, text params) {
    return detail::verified(try_verify_launch(secret_key, params));
}

/** What a query string vouches for, as it came: {"verified":true,"params",...}. Use these params and nothing else of it. */
inline result try_verify_query(text kind, text secret_key, text query) {
    return detail::answer([&](std::int32_t *code) {
        return mailru_verify_query(kind.c_str(), secret_key.c_str(), query.c_str(), code);
    });
}
/** Throws where it is not the platform's, too: then there are no parameters to go on with. */
inline std::string verify_query(text kind, text secret_key, text query) {
    return try_verify_query(kind, secret_key, query).value();
}

/** Has the log of the whole process told to a function; an empty one switches it off. */
inline void set_log(log_function function, std::int32_t level) {
    if (!function) {
        detail::coded(mailru_set_log(nullptr, nullptr, nullptr, level)).value();
        return;
    }
    auto *kept = new log_function(std::move(function));
    detail::coded(mailru_set_log(detail::mailru_hpp_log, kept, detail::mailru_hpp_forget_log, level)).value();
}

} // namespace mailru

#endif /* MAILRU_HPP */
