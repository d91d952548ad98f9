/* What needs no session: logins, verification, the catalogues, the log. Part of mailru.hpp. */

#ifndef MAILRU_HELPERS_HPP
#define MAILRU_HELPERS_HPP

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "callbacks.hpp"

namespace mailru {

/** The library's version, such as "0.1.0". */
inline std::string version() { return mailru_version(); }

/** The number of the loaded library's binary interface; MAILRU_ABI_VERSION is the one this was compiled with. */
inline std::uint32_t abi_version() noexcept { return mailru_abi_version(); }

/** The platform's errors: an array of {code, meaning, transient, advice}. */
inline std::string errors() { return detail::answer(mailru_errors).value(); }

/** The text of an error's JSON alone. */
inline std::string error_message(const std::string &error_json) {
    return detail::answer(mailru_error_message, text(error_json)).value();
}

/** The catalogue of the platform's methods: an array of {name, summary, write, privilege, params}. */
inline std::string methods() { return detail::answer(mailru_methods).value(); }

/** The address at which a user lets the application in, as {"url"}. */
inline result try_authorize_url(text app_id, text redirect_uri, text response_type = {}, text scope = {},
                                text state = {}) {
    return detail::answer(mailru_authorize_url, app_id, redirect_uri, response_type, scope, state);
}
/** The address alone. */
inline std::string authorize_url(text app_id, text redirect_uri, text response_type = {}, text scope = {},
                                 text state = {}) {
    const std::string json = try_authorize_url(app_id, redirect_uri, response_type, scope, state).value();
    return detail::text_member(json, "url").value_or("");
}

/** The same at another authorization server than the platform's: its page for logins, without a query. */
inline result try_authorize_url_at(text address, text app_id, text redirect_uri, text response_type = {},
                                   text scope = {}, text state = {}) {
    return detail::answer(mailru_authorize_url_at, address, app_id, redirect_uri, response_type, scope, state);
}
inline std::string authorize_url_at(text address, text app_id, text redirect_uri, text response_type = {},
                                    text scope = {}, text state = {}) {
    const std::string json =
        try_authorize_url_at(address, app_id, redirect_uri, response_type, scope, state).value();
    return detail::text_member(json, "url").value_or("");
}

/** What the browser brought back: a code for session::code, or the tokens themselves. */
struct redirect {
    std::optional<std::string> code = {};
    std::optional<mailru::tokens> tokens = {};
};

/** The same as JSON. expected_state is the one of this user's login; nullptr means "not compared": see mailru.h. */
inline result try_parse_redirect(text url, text expected_state) {
    return detail::answer(mailru_parse_redirect, url, expected_state);
}
inline redirect parse_redirect(text url, text expected_state) {
    const std::string json = try_parse_redirect(url, expected_state).value();
    redirect came;
    came.code = detail::text_member(json, "code");
    if (!came.code) {
        came.tokens = tokens::parse(json);
    }
    return came;
}

/** Whether a payment callback is the platform's: MAILRU_OK or MAILRU_SIGNATURE_MISMATCH. */
inline result try_verify(text secret_key, const json_text &params) {
    return detail::answer(mailru_verify, secret_key, params);
}
/** The same as true or false; throws where the question itself is wrong. */
inline bool verify(text secret_key, const json_text &params) {
    return detail::verified(try_verify(secret_key, params));
}

/** Whether the launch parameters of an embedded application are the platform's. */
inline result try_verify_launch(text secret_key, const json_text &params) {
    return detail::answer(mailru_verify_launch, secret_key, params);
}
inline bool verify_launch(text secret_key, const json_text &params) {
    return detail::verified(try_verify_launch(secret_key, params));
}

/** What a query string vouches for. Use these params and nothing else of it, and refuse what has expired. */
struct verified_query {
    std::map<std::string, std::string> params = {};
    /** The proofs: "sig", "authentication_key". */
    std::vector<std::string> checked = {};
    std::optional<std::chrono::system_clock::time_point> expires_at = {};
    bool expired = false;
};

/** The same as JSON. kind is "payment", "launch", "cookie" or "launch_by_key". */
inline result try_verify_query(text kind, text secret_key, text query) {
    return detail::answer(mailru_verify_query, kind, secret_key, query);
}
/** Throws where it is not the platform's, too: then there are no parameters to go on with. */
inline verified_query verify_query(text kind, text secret_key, text query) {
    const std::string json = try_verify_query(kind, secret_key, query).value();
    verified_query verified;
    detail::each_member(detail::member(json, "params").value_or("{}"), [&](const std::string &name, auto given) {
        verified.params.emplace(name, detail::unquoted(given));
    });
    for (const std::string_view proof : detail::elements(detail::member(json, "checked").value_or("[]"))) {
        verified.checked.push_back(detail::unquoted(proof));
    }
    if (const auto seconds = detail::number_member(json, "expires_at")) {
        verified.expires_at = std::chrono::system_clock::time_point(std::chrono::seconds(*seconds));
    }
    verified.expired = detail::member(json, "expired").value_or("false") == "true";
    return verified;
}

/**
 * Has the log of the whole process told to a function; an empty one switches it off. On return the former function has
 * returned, and it does not run again.
 */
inline void set_log(log_function function, std::int32_t level) {
    const auto set = [level](std::shared_ptr<detail::log_listener> *kept) {
        return kept == nullptr ? mailru_set_log(nullptr, nullptr, nullptr, level)
                               : mailru_set_log(detail::mailru_hpp_log, kept, detail::mailru_hpp_forget_log, level);
    };
    detail::log_place.replace(std::move(function), listening::until_freed, set).value();
}

} // namespace mailru

#endif /* MAILRU_HELPERS_HPP */
