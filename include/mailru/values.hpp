/* Options and tokens as structures, and the arguments that functions take. Part of mailru.hpp. */

#ifndef MAILRU_VALUES_HPP
#define MAILRU_VALUES_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "json.hpp"

namespace mailru {

namespace detail {

/** A time limit as the C functions count it: whole milliseconds, rounded up. */
inline std::int64_t milliseconds(std::chrono::nanoseconds limit) {
    return std::chrono::ceil<std::chrono::milliseconds>(limit).count();
}

} // namespace detail

/** A session's options; what is not set is the library's default, see mailru.h. Time limits are rounded up. */
struct options {
    std::optional<bool> pass_error = {};
    std::optional<std::string> api_url = {}, public_url = {}, token_url = {}, client_secret = {}, refresh_token = {};
    std::optional<std::chrono::seconds> expires_in = {};
    std::optional<std::string> token_file = {};
    std::optional<bool> auto_refresh = {};
    std::optional<std::chrono::nanoseconds> timeout = {}, connect_timeout = {};
    std::optional<std::uint32_t> retries = {};
    std::optional<std::chrono::nanoseconds> retry_delay = {};
    std::optional<std::uint64_t> max_response_bytes = {}, get_limit = {}, max_idle_connections = {};
    std::optional<std::string> user_agent = {}, proxy = {}, tls_roots = {}, ca_file = {};
    std::optional<double> max_calls_per_second = {};
    std::optional<bool> callbacks_in_calls = {}, allow_http = {};
    /** More options as a JSON object; none of those that are set above. */
    std::string more = {};

    /** As the C functions take them. */
    std::string json() const {
        detail::object_writer object;
        const std::size_t first = more.find('{'), last = more.rfind('}');
        if (first != std::string::npos && last != std::string::npos && first < last && detail::one_value(more)) {
            const std::size_t start = detail::skip_space(more, first + 1);
            object.members(std::string_view(more).substr(start, last > start ? last - start : 0));
        } else if (!more.empty()) {
            /* No object: the library says what is wrong with it. */
            return more;
        }
        const auto milliseconds = [&](const char *name, const std::optional<std::chrono::nanoseconds> &limit) {
            if (limit) {
                object.add(name, std::to_string(detail::milliseconds(*limit)));
            }
        };
        object.flag("pass_error", pass_error);
        object.text("api_url", api_url);
        object.text("public_url", public_url);
        object.text("token_url", token_url);
        object.text("client_secret", client_secret);
        object.text("refresh_token", refresh_token);
        if (expires_in) {
            object.add("expires_in", std::to_string(expires_in->count()));
        }
        object.text("token_file", token_file);
        object.flag("auto_refresh", auto_refresh);
        milliseconds("timeout_ms", timeout);
        milliseconds("connect_timeout_ms", connect_timeout);
        object.number("retries", retries);
        milliseconds("retry_delay_ms", retry_delay);
        object.number("max_response_bytes", max_response_bytes);
        object.number("get_limit", get_limit);
        object.number("max_idle_connections", max_idle_connections);
        object.text("user_agent", user_agent);
        object.text("proxy", proxy);
        object.text("tls_roots", tls_roots);
        object.text("ca_file", ca_file);
        if (max_calls_per_second) {
            object.add("max_calls_per_second", value(*max_calls_per_second).json());
        }
        object.flag("callbacks_in_calls", callbacks_in_calls);
        object.flag("allow_http", allow_http);
        return object.json();
    }
};

/** What the authorization server gave; a member without a value is not known. */
struct tokens {
    using time_point = std::chrono::system_clock::time_point;

    std::optional<std::string> access_token = {}, refresh_token = {};
    /** The access token's whole life as it was given, and its end. */
    std::optional<std::chrono::seconds> expires_in = {};
    std::optional<time_point> expires_at = {};
    std::optional<std::string> uid = {}, token_type = {}, circuit = {};

    /** Whether there is an access token that has not expired. */
    bool valid(time_point now = std::chrono::system_clock::now()) const {
        return access_token.has_value() && (!expires_at || now < *expires_at);
    }

    /** Reads the JSON that the library shows, or that json() made. */
    static tokens parse(std::string_view json) {
        tokens read;
        read.access_token = detail::text_member(json, "access_token");
        read.refresh_token = detail::text_member(json, "refresh_token");
        if (const auto seconds = detail::number_member(json, "expires_in")) {
            read.expires_in = std::chrono::seconds(*seconds);
        }
        if (const auto seconds = detail::number_member(json, "expires_at")) {
            read.expires_at = time_point(std::chrono::seconds(*seconds));
        }
        read.uid = detail::text_member(json, "uid");
        read.token_type = detail::text_member(json, "token_type");
        read.circuit = detail::text_member(json, "circuit");
        return read;
    }

    /** What to store: the JSON that session::stored and session::set_tokens take. */
    std::string json() const {
        detail::object_writer object;
        object.text("access_token", access_token);
        object.text("refresh_token", refresh_token);
        if (expires_in) {
            object.add("expires_in", std::to_string(expires_in->count()));
        }
        if (expires_at) {
            const auto since = expires_at->time_since_epoch();
            object.add("expires_at", std::to_string(std::chrono::duration_cast<std::chrono::seconds>(since).count()));
        }
        object.text("uid", uid);
        object.text("token_type", token_type);
        object.text("circuit", circuit);
        return object.json();
    }

    friend bool operator==(const tokens &left, const tokens &right) { return left.json() == right.json(); }
    friend bool operator!=(const tokens &left, const tokens &right) { return !(left == right); }
};

/** An argument: a literal, a std::string, or nullptr for "not given". It keeps no copy. */
class text {
public:
    text(std::nullptr_t = nullptr) noexcept {}
    text(const char *value) noexcept : pointer_(value) {}
    text(const std::string &value) noexcept : pointer_(value.c_str()), size_(value.size()) {}

    /** As the C functions take it. */
    const char *c_str() const noexcept { return pointer_; }
    /** The same as C++ has it; nullptr is empty. */
    std::string_view view() const noexcept { return pointer_ == nullptr ? std::string_view() : pointer_; }
    /** Whether a std::string has a NUL, at which C would cut it. */
    bool cut() const noexcept { return size_ != 0 && view().size() != size_; }

private:
    const char *pointer_ = nullptr;
    std::size_t size_ = 0;
};

/** An argument in JSON: a literal, a std::string, nullptr for "not given", or options, tokens or params. */
class json_text : public text {
public:
    json_text(std::nullptr_t = nullptr) noexcept {}
    json_text(const char *json) noexcept : text(json) {}
    json_text(const std::string &json) noexcept : text(json) {}
    json_text(const text &json) noexcept : text(json) {}
    json_text(const options &given) : json_text(given.json(), true) {}
    json_text(const tokens &given) : json_text(given.json(), true) {}
    json_text(const params &given) : json_text(given.json(), true) {}
    json_text(const json_text &) = delete;
    json_text &operator=(const json_text &) = delete;

private:
    json_text(std::string json, bool) : owned_(std::move(json)) { text::operator=(owned_); }

    std::string owned_ = {};
};

} // namespace mailru

#endif /* MAILRU_VALUES_HPP */
