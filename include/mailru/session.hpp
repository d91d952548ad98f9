/* Sessions and what ends their calls. Part of mailru.hpp. */

#ifndef MAILRU_SESSION_HPP
#define MAILRU_SESSION_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#if __has_include(<version>)
#include <version>
#endif
#ifdef __cpp_lib_jthread
#include <stop_token>
#endif

#include "callbacks.hpp"

namespace mailru {

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

/** What may end a call before its session's time limit: a limit of its own, and a cancel handle or a stop token. */
class within {
public:
    within() = default;
    /** A limit of 0 is the session's. */
    template <typename Number, typename Unit>
    within(std::chrono::duration<Number, Unit> limit) : limit_(std::chrono::ceil<std::chrono::nanoseconds>(limit)) {}
    within(const cancel_handle &cancel) : cancel_(&cancel) {}
    within(std::chrono::nanoseconds limit, const cancel_handle &cancel) : limit_(limit), cancel_(&cancel) {}
#ifdef __cpp_lib_jthread
    within(std::stop_token stop) : stop_(std::move(stop)) {}
    within(std::chrono::nanoseconds limit, std::stop_token stop) : limit_(limit), stop_(std::move(stop)) {}
#endif

    std::int64_t milliseconds() const { return detail::milliseconds(limit_); }

    /** Calls a function with the number of the handle that ends it. */
    template <typename Function> result run(Function &&function) const {
#ifdef __cpp_lib_jthread
        if (stop_.stop_possible()) {
            const cancel_handle own;
            const std::stop_callback fires(stop_, [&own] { own.fire(); });
            return function(own.get());
        }
#endif
        return function(cancel_ == nullptr ? 0 : cancel_->get());
    }

private:
    std::chrono::nanoseconds limit_ = std::chrono::nanoseconds(0);
    const cancel_handle *cancel_ = nullptr;
#ifdef __cpp_lib_jthread
    std::stop_token stop_;
#endif
};

namespace detail {

/** A file's bytes as the C functions take them. An empty view may be a null pointer, which would be no file. */
inline const std::uint8_t *bytes(std::optional<std::string_view> data) noexcept {
    return !data ? nullptr : reinterpret_cast<const std::uint8_t *>(data->empty() ? "" : data->data());
}

/** A request that is being written for mailru_request. */
class request_writer {
public:
    request_writer(std::string_view kind, std::string_view json) { object_.add(kind, json); }

    /** False for parameters that are no single value, which could break out of the request. */
    bool params(const json_text &params) {
        if (params.view().empty()) {
            return true;
        }
        object_.add("params", params.view());
        return one_value(params.view());
    }
    void file(const text &field, const text &file_name, const text &type) {
        object_writer file;
        file.add("field", quoted(field.view()));
        file.add("name", quoted(file_name.view()));
        if (!type.view().empty()) {
            file.add("type", quoted(type.view()));
        }
        object_.add("file", file.json());
    }
    std::string json(std::int64_t milliseconds) {
        if (milliseconds != 0) {
            object_.add("timeout_ms", std::to_string(milliseconds));
        }
        return object_.json();
    }

private:
    object_writer object_;
};

} // namespace detail

/** What a session has done since it was made; json has everything, see mailru_stats. */
struct stats {
    std::int64_t calls = 0, in_flight = 0, attempts = 0, retries = 0, grants = 0, renewals = 0, token_failures = 0,
                 connections_opened = 0, connections_reused = 0, bytes_out = 0, bytes_in = 0;
    std::string json = {};

    static stats parse(std::string json) {
        const auto number = [&json](const char *name) { return detail::number_member(json, name).value_or(0); };
        stats read;
        read.calls = number("calls");
        read.in_flight = number("in_flight");
        read.attempts = number("attempts");
        read.retries = number("retries");
        read.grants = number("grants");
        read.renewals = number("renewals");
        read.token_failures = number("token_failures");
        read.connections_opened = number("connections_opened");
        read.connections_reused = number("connections_reused");
        read.bytes_out = number("bytes_out");
        read.bytes_in = number("bytes_in");
        read.json = std::move(json);
        return read;
    }
};

/** A session; made by one of the static functions, whose arguments are those of mailru.h. */
class session : public detail::handle<mailru_session_free> {
public:
    /** An empty one. */
    session() noexcept = default;

    static session public_pages(const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_public_session_new, options);
    }
    static session token(text app_id, text private_key, text secret_key, text access_token, text uid,
                         const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_token_session_new, app_id, private_key, secret_key, access_token, uid, options);
    }
    static session client(text app_id, text private_key, text access_token, text uid, const json_text &options = {},
                          result *outcome = nullptr) {
        return made(outcome, mailru_client_session_new, app_id, private_key, access_token, uid, options);
    }
    static session server(text app_id, text secret_key, text access_token, const json_text &options = {},
                          result *outcome = nullptr) {
        return made(outcome, mailru_server_session_new, app_id, secret_key, access_token, options);
    }
    static session code(text app_id, text private_key, text secret_key, text code, text redirect_uri,
                        const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_code_session_new, app_id, private_key, secret_key, code, redirect_uri, options);
    }
    static session code_client(text app_id, text private_key, text code, text redirect_uri,
                               const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_code_client_session_new, app_id, private_key, code, redirect_uri, options);
    }
    static session code_server(text app_id, text secret_key, text code, text redirect_uri,
                               const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_code_server_session_new, app_id, secret_key, code, redirect_uri, options);
    }
    static session password(text app_id, text private_key, text secret_key, text email, text password,
                            text scope = {}, const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_password_session_new, app_id, private_key, secret_key, email, password, scope,
                    options);
    }
    static session password_client(text app_id, text private_key, text email, text password, text scope = {},
                                   const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_password_client_session_new, app_id, private_key, email, password, scope,
                    options);
    }
    static session password_server(text app_id, text secret_key, text email, text password, text scope = {},
                                   const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_password_server_session_new, app_id, secret_key, email, password, scope, options);
    }
    static session refresh(text app_id, text private_key, text secret_key, text refresh_token,
                           const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_refresh_session_new, app_id, private_key, secret_key, refresh_token, options);
    }
    static session refresh_client(text app_id, text private_key, text refresh_token, const json_text &options = {},
                                  result *outcome = nullptr) {
        return made(outcome, mailru_refresh_client_session_new, app_id, private_key, refresh_token, options);
    }
    static session refresh_server(text app_id, text secret_key, text refresh_token, const json_text &options = {},
                                  result *outcome = nullptr) {
        return made(outcome, mailru_refresh_server_session_new, app_id, secret_key, refresh_token, options);
    }
    static session stored(text app_id, text private_key, text secret_key, const json_text &tokens_json,
                          const json_text &options = {}, result *outcome = nullptr) {
        return made(outcome, mailru_stored_session_new, app_id, private_key, secret_key, tokens_json, options);
    }

    /** Calls a method of the platform; ends says what may end it early. */
    result try_call(text method, const json_text &params = {}) const {
        return answer(mailru_call, method, params);
    }
    result try_call(text method, const json_text &params, const within &ends) const {
        return ends.run([&](mailru_cancel cancel) {
            const auto call = [&](const char *name, const char *json, std::int32_t *code) {
                return mailru_call_within(get(), name, json, ends.milliseconds(), cancel, code);
            };
            return detail::answer(call, method, params);
        });
    }
    std::string call(text method, const json_text &params = {}) const { return try_call(method, params).value(); }
    std::string call(text method, const json_text &params, const within &ends) const {
        return try_call(method, params, ends).value();
    }
    /** A limit of 0 is the session's. */
    result try_call(text method, const json_text &params, std::chrono::nanoseconds limit,
                    const cancel_handle *cancel) const {
        return try_call(method, params, cancel == nullptr ? within(limit) : within(limit, *cancel));
    }
    std::string call(text method, const json_text &params, std::chrono::nanoseconds limit,
                     const cancel_handle *cancel) const {
        return try_call(method, params, limit, cancel).value();
    }

    /** Calls a method with a file; data may hold any bytes. */
    result try_upload(text method, const json_text &params, text field, text file_name, std::string_view data) const {
        const auto upload = [&](const char *name, const char *json, const char *of, const char *file,
                                std::int32_t *code) {
            return mailru_upload(get(), name, json, of, file, detail::bytes(data), data.size(), code);
        };
        return detail::answer(upload, method, params, field, file_name);
    }
    /** The same with the media type of the file (nullptr: application/octet-stream) and what may end it early. */
    result try_upload(text method, const json_text &params, text field, text file_name, std::string_view data,
                      const within &ends, text type = {}) const {
        detail::request_writer request("method", detail::quoted(method.view()));
        if (!detail::whole(method, params, field, file_name, type)) {
            return detail::cut();
        }
        request.file(field, file_name, type);
        return send(request, params, data, ends);
    }
    std::string upload(text method, const json_text &params, text field, text file_name,
                       std::string_view data) const {
        return try_upload(method, params, field, file_name, data).value();
    }
    std::string upload(text method, const json_text &params, text field, text file_name, std::string_view data,
                       const within &ends, text type = {}) const {
        return try_upload(method, params, field, file_name, data, ends, type).value();
    }

    /** Performs any request, described as JSON; data is the file of an upload. */
    result try_request(text request, std::optional<std::string_view> data = std::nullopt,
                       const cancel_handle *cancel = nullptr) const {
        return try_request(request, data, cancel == nullptr ? within() : within(*cancel));
    }
    /** The time limit stands in the request; that of ends is not looked at. */
    result try_request(text request, std::optional<std::string_view> data, const within &ends) const {
        return ends.run([&](mailru_cancel cancel) {
            const auto perform = [&](const char *json, std::int32_t *code) {
                return mailru_request(get(), json, detail::bytes(data), data ? data->size() : 0, cancel, code);
            };
            return detail::answer(perform, request);
        });
    }
    std::string request(text request, std::optional<std::string_view> data = std::nullopt,
                        const cancel_handle *cancel = nullptr) const {
        return try_request(request, data, cancel).value();
    }
    std::string request(text request, std::optional<std::string_view> data, const within &ends) const {
        return try_request(request, data, ends).value();
    }

    /** Reads a public page (mailru_public). */
    result try_public_page(text path, const json_text &params = {}) const {
        return answer(mailru_public, path, params);
    }
    result try_public_page(text path, const json_text &params, const within &ends) const {
        detail::request_writer request("public", detail::quoted(path.view()));
        return detail::whole(path, params) ? send(request, params, std::nullopt, ends) : detail::cut();
    }
    std::string public_page(text path, const json_text &params = {}) const {
        return try_public_page(path, params).value();
    }
    std::string public_page(text path, const json_text &params, const within &ends) const {
        return try_public_page(path, params, ends).value();
    }

    /** Gets or renews the tokens. */
    result try_authorize() const { return answer(mailru_authorize); }
    result try_authorize(const within &ends) const {
        detail::request_writer request("authorize", "true");
        return send(request, {}, std::nullopt, ends);
    }
    mailru::tokens authorize() const { return mailru::tokens::parse(try_authorize().value()); }
    mailru::tokens authorize(const within &ends) const { return mailru::tokens::parse(try_authorize(ends).value()); }

    /** Shows the tokens, without network. */
    result try_tokens() const { return answer(mailru_tokens); }
    mailru::tokens tokens() const { return mailru::tokens::parse(try_tokens().value()); }

    /** What the session has done since it was made, without network. */
    result try_stats() const { return answer(mailru_stats); }
    mailru::stats stats() const { return mailru::stats::parse(try_stats().value()); }

    /** Shows a call as it would be sent, without network: {"url","sig","circuit","base","params"}. */
    result try_sign(text method, const json_text &params = {}) const { return answer(mailru_sign, method, params); }
    std::string sign(text method, const json_text &params = {}) const { return try_sign(method, params).value(); }

    /**
     * Has a function told of every new set of tokens, before they are used; an empty one removes it. It replaces the
     * function set before. On return the former has returned, and it does not run again; only inside of the function
     * itself is it not waited for. Freeing the session removes it, too, unless it listens afterwards_too.
     */
    result try_on_token(token_function function, listening until = listening::until_freed) const {
        const auto set = [this](std::shared_ptr<detail::token_listener> *kept) {
            return kept == nullptr ? mailru_session_on_token(get(), nullptr, nullptr, nullptr)
                                   : mailru_session_on_token(get(), detail::mailru_hpp_tokens, kept,
                                                             detail::mailru_hpp_forget_tokens);
        };
        return listeners_ == nullptr ? detail::coded(MAILRU_INVALID_HANDLE)
                                     : listeners_->token.replace(std::move(function), until, set);
    }
    void on_token(token_function function, listening until = listening::until_freed) const {
        try_on_token(std::move(function), until).value();
    }

    /** Has a function told of each renewal, before its request and afterwards; all else is as for on_token. */
    result try_on_renewal(renewal_function function, listening until = listening::until_freed) const {
        const auto set = [this](std::shared_ptr<detail::renewal_listener> *kept) {
            return kept == nullptr ? mailru_session_on_renewal(get(), nullptr, nullptr, nullptr)
                                   : mailru_session_on_renewal(get(), detail::mailru_hpp_renewal, kept,
                                                               detail::mailru_hpp_forget_renewal);
        };
        return listeners_ == nullptr ? detail::coded(MAILRU_INVALID_HANDLE)
                                     : listeners_->renewal.replace(std::move(function), until, set);
    }
    void on_renewal(renewal_function function, listening until = listening::until_freed) const {
        try_on_renewal(std::move(function), until).value();
    }

    /** Inside a function of on_token or on_renewal: it counts as running until proceed, also after it has returned. */
    result try_hold() const { return detail::coded(mailru_session_hold(get(), 1)); }
    void hold() const { try_hold().value(); }
    /** The function counts as returned; on any thread, at any time. */
    void proceed() const noexcept { mailru_session_hold(get(), 0); }

    /** Gives the session newer tokens. */
    result try_set_tokens(const json_text &tokens_json) const {
        if (tokens_json.cut()) {
            return detail::cut();
        }
        char *error = nullptr;
        const std::int32_t code = mailru_session_set_tokens(get(), tokens_json.c_str(), &error);
        return {code, detail::taken(error)};
    }
    void set_tokens(const json_text &tokens_json) const { try_set_tokens(tokens_json).value(); }

    /** Ends the calls of other threads within 50 ms; later calls work. */
    void cancel() const noexcept { mailru_session_cancel(get()); }

    /** Frees it now, as the destructor would: its functions, too. */
    void reset() noexcept {
        listeners_.reset();
        handle::reset();
    }

private:
    explicit session(std::uint64_t number)
        : handle(number), listeners_(number == 0 ? nullptr : std::make_unique<detail::listeners>()) {}

    template <typename Constructor, typename... Texts>
    static session made(result *outcome, Constructor constructor, const Texts &...texts) {
        if (!detail::whole(texts...)) {
            if (outcome == nullptr) {
                detail::cut().value();
            }
            *outcome = detail::cut();
            return session();
        }
        return session(detail::made(outcome, [&](char **error) { return constructor(texts.c_str()..., error); }));
    }

    /** Runs a function of mailru.h that takes the session, texts and a code. */
    template <typename Function, typename... Texts> result answer(Function function, const Texts &...texts) const {
        return detail::answer([&](auto... arguments) { return function(get(), arguments...); }, texts...);
    }

    result send(detail::request_writer &request, const json_text &params, std::optional<std::string_view> data,
                const within &ends) const {
        if (!request.params(params)) {
            return detail::refused("params_json is not one JSON object");
        }
        return try_request(request.json(ends.milliseconds()), data, ends);
    }

    /* Destroyed before the handle is freed, so that a function runs in no half-destroyed host. */
    std::unique_ptr<detail::listeners> listeners_;
};

} // namespace mailru

#endif /* MAILRU_SESSION_HPP */
