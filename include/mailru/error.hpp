/* Failures, and what the functions of mailru.h return. Part of mailru.hpp. */

#ifndef MAILRU_ERROR_HPP
#define MAILRU_ERROR_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "../mailru.h"
#include "values.hpp"

namespace mailru {

/** The name of a code, such as "MAILRU_OK". */
inline const char *code_name(std::int32_t code) noexcept { return mailru_code_name(code); }

namespace detail {

struct string_deleter {
    void operator()(char *json) const noexcept { mailru_string_free(json); }
};

/** Copies a string of the library's and releases it, even if the copy fails. */
inline std::string taken(char *json) {
    const std::unique_ptr<char, string_deleter> owned(json);
    return json == nullptr ? std::string() : std::string(json);
}

/** What a failure's JSON tells; see the top of mailru.h for its members. Self has code() and json(). */
template <typename Self> class told {
public:
    /** The platform's own number, or minus the code; 0 for success. */
    std::int64_t number() const noexcept { return mailru_error_number(text().c_str()); }
    /** Whether the same call may succeed later; false for success. A write may be made again only where sent() is false. */
    bool transient() const noexcept { return mailru_error_transient(text().c_str()) != 0; }
    /** The text alone, for a log or a user's eyes; empty for success. */
    std::string message() const {
        std::int32_t code = MAILRU_OK;
        std::string message = taken(mailru_error_message(text().c_str(), &code));
        return code == MAILRU_OK ? message : std::string();
    }
    /** False only if no byte of the request can have reached a server. */
    bool sent() const {
        const std::int32_t code = static_cast<const Self &>(*this).kind();
        const std::optional<std::string_view> given = own("sent");
        return given ? *given == "true"
                     : code == MAILRU_API_ERROR || code == MAILRU_OAUTH_ERROR || code == MAILRU_INTERNAL_ERROR;
    }
    /** How long to wait before the next request, if the server said so. */
    std::optional<std::chrono::milliseconds> retry_after() const {
        const std::optional<std::int64_t> given = own_number("retry_after_ms");
        return given ? std::optional<std::chrono::milliseconds>(*given) : std::nullopt;
    }
    /** The status of the answer. */
    std::optional<std::int64_t> http_status() const { return own_number("http_status"); }
    /** The argument, option or parameter that was wrong. */
    std::optional<std::string> argument() const { return own_text("argument"); }
    /** What an answer lacks. */
    std::optional<std::string> field() const { return own_text("field"); }
    /** The authorization server's refusal as it came. */
    std::optional<std::string> oauth() const { return own_json("oauth"); }
    /** An answer whose "error" is of an unknown shape. */
    std::optional<std::string> platform() const { return own_json("platform"); }

private:
    const std::string &text() const noexcept { return static_cast<const Self &>(*this).text_of_json(); }

    /** A member of the library's own; the platform's object may have some of the same names. */
    std::optional<std::string_view> own(std::string_view name) const {
        const std::optional<std::string_view> object = member(text(), "error");
        if (!object || number() != -static_cast<std::int64_t>(static_cast<const Self &>(*this).kind())) {
            return std::nullopt;
        }
        return member(*object, name);
    }
    std::optional<std::int64_t> own_number(std::string_view name) const {
        return own(name) ? number_member(*member(text(), "error"), name) : std::nullopt;
    }
    std::optional<std::string> own_text(std::string_view name) const {
        return own(name) ? text_member(*member(text(), "error"), name) : std::nullopt;
    }
    std::optional<std::string> own_json(std::string_view name) const {
        const std::optional<std::string_view> json = own(name);
        return json ? std::optional<std::string>(*json) : std::nullopt;
    }
};

} // namespace detail

/** A failure: which kind, and the error's JSON. */
class error : public std::runtime_error, public detail::told<error> {
public:
    error(std::int32_t code, std::string json)
        : std::runtime_error(std::string(code_name(code)) + ": " + json), code_(code),
          json_(std::make_shared<const std::string>(std::move(json))) {}

    /** One of the MAILRU_… constants. */
    std::int32_t code() const noexcept { return code_; }
    /** {"error":{"error_code":N,"error_msg":"...",...}} */
    const std::string &json() const noexcept { return *json_; }

private:
    friend class detail::told<error>;
    std::int32_t kind() const noexcept { return code_; }
    const std::string &text_of_json() const noexcept { return *json_; }

    std::int32_t code_;
    /* Shared, so that copying the exception cannot throw. */
    std::shared_ptr<const std::string> json_;
};

/** The outcome of a function that does not throw: a code, and the JSON of success or failure. */
class result : public detail::told<result> {
public:
    result() = default;
    result(std::int32_t its_code, std::string its_json) : code(its_code), json(std::move(its_json)) {}

    std::int32_t code = MAILRU_OK;
    std::string json = {};

    /** Whether it succeeded. */
    explicit operator bool() const noexcept { return code == MAILRU_OK; }

    /** The JSON of success; throws mailru::error for a failure. */
    std::string value() && {
        if (code != MAILRU_OK) {
            throw error(code, std::move(json));
        }
        return std::move(json);
    }

private:
    friend class detail::told<result>;
    std::int32_t kind() const noexcept { return code; }
    const std::string &text_of_json() const noexcept { return json; }
};

namespace detail {

/** A refusal of these classes' own. */
inline result refused(std::string_view message) {
    return {MAILRU_INVALID_ARGUMENT, "{\"error\":{\"error_code\":-1,\"error_msg\":" + quoted(message) +
                                         ",\"transient\":false}}"};
}

/** Whether none of the texts has a NUL in it, at which C would cut it. */
template <typename... Texts> bool whole(const Texts &...texts) noexcept { return !(texts.cut() || ...); }

inline result cut() { return refused("a text has a NUL in it, where C would cut it"); }

/** Runs a function that takes texts and answers with JSON and a code. */
template <typename Function, typename... Texts> result answer(Function &&function, const Texts &...texts) {
    if (!whole(texts...)) {
        return cut();
    }
    std::int32_t code = MAILRU_INTERNAL_ERROR;
    std::string json = taken(function(texts.c_str()..., &code));
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

} // namespace detail
} // namespace mailru

#endif /* MAILRU_ERROR_HPP */
