/* Queues. Part of mailru.hpp. */

#ifndef MAILRU_QUEUE_HPP
#define MAILRU_QUEUE_HPP

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "session.hpp"

namespace mailru {

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
    result try_submit(const session &caller, text method, const json_text &params, std::uint64_t tag) const {
        if (!detail::whole(method, params)) {
            return detail::cut();
        }
        char *error = nullptr;
        const std::int32_t code =
            mailru_queue_submit(get(), caller.get(), method.c_str(), params.c_str(), tag, &error);
        return {code, detail::taken(error)};
    }
    void submit(const session &caller, text method, const json_text &params, std::uint64_t tag) const {
        try_submit(caller, method, params, tag).value();
    }

    /** Hands any request over, as session::request performs it; the file is copied. */
    result try_request(const session &caller, text request, std::uint64_t tag,
                       std::optional<std::string_view> data = std::nullopt,
                       const cancel_handle *cancel = nullptr) const {
        if (request.cut()) {
            return detail::cut();
        }
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

} // namespace mailru

#endif /* MAILRU_QUEUE_HPP */
