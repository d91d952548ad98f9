/* The host's functions that the library calls, and how they are removed. Part of mailru.hpp. */

#ifndef MAILRU_CALLBACKS_HPP
#define MAILRU_CALLBACKS_HPP

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "error.hpp"

namespace mailru {

/** What a host's own function is told: new tokens. It may not throw. */
using token_function = std::function<void(const tokens &)>;
/** What a host's own function is told around a renewal: 1 before its request, 0 when it is over. It may not throw. */
using renewal_function = std::function<void(std::int32_t phase)>;
/** What a log function is told: 1 error, 2 warning, 3 info, 4 debug, and a line. It may not throw. */
using log_function = std::function<void(std::int32_t level, const std::string &message)>;

/** Until when a session's function may be called. */
enum class listening {
    /** Until it is removed or its session is freed: what it refers to may be destroyed then. */
    until_freed,
    /** Also afterwards, for a request that was under way, so that no tokens are lost. It must own what it refers to. */
    afterwards_too,
};

namespace detail {

/** A function, shared by its session and the library; after its removal it does not run. */
template <typename... Arguments> class listener {
public:
    using function = std::function<void(Arguments...)>;

    listener(function told, listening until) : told_(std::move(told)), until_(until) {}

    void tell(Arguments... arguments) noexcept {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (removed_) {
                return;
            }
            threads_.push_back(std::this_thread::get_id());
        }
        told_(arguments...);
        const std::lock_guard<std::mutex> lock(mutex_);
        threads_.erase(std::find(threads_.begin(), threads_.end(), std::this_thread::get_id()));
        changed_.notify_all();
    }

    /** Waits for the calls under way, unless this is one of them. */
    void remove() {
        std::unique_lock<std::mutex> lock(mutex_);
        removed_ = true;
        if (std::count(threads_.begin(), threads_.end(), std::this_thread::get_id()) == 0) {
            changed_.wait(lock, [this] { return threads_.empty(); });
        }
    }

    listening until() const noexcept { return until_; }

private:
    function told_;
    listening until_;
    std::mutex mutex_;
    std::condition_variable changed_;
    /* Those that run the function now. */
    std::vector<std::thread::id> threads_;
    bool removed_ = false;
};

using token_listener = listener<const tokens &>;
using renewal_listener = listener<std::int32_t>;
using log_listener = listener<std::int32_t, const std::string &>;

/* What the library keeps: a share of the listener, released when the library is done with it. */
template <typename Listener> std::shared_ptr<Listener> *kept(const std::shared_ptr<Listener> &listener) {
    return listener == nullptr ? nullptr : new std::shared_ptr<Listener>(listener);
}

extern "C" {
inline void mailru_hpp_tokens(void *user_data, const char *tokens_json) noexcept {
    (*static_cast<std::shared_ptr<token_listener> *>(user_data))->tell(tokens::parse(tokens_json));
}
inline void mailru_hpp_forget_tokens(void *user_data) noexcept {
    delete static_cast<std::shared_ptr<token_listener> *>(user_data);
}
inline void mailru_hpp_renewal(void *user_data, std::int32_t phase) noexcept {
    (*static_cast<std::shared_ptr<renewal_listener> *>(user_data))->tell(phase);
}
inline void mailru_hpp_forget_renewal(void *user_data) noexcept {
    delete static_cast<std::shared_ptr<renewal_listener> *>(user_data);
}
inline void mailru_hpp_log(void *user_data, std::int32_t level, const char *message) noexcept {
    (*static_cast<std::shared_ptr<log_listener> *>(user_data))->tell(level, message);
}
inline void mailru_hpp_forget_log(void *user_data) noexcept {
    delete static_cast<std::shared_ptr<log_listener> *>(user_data);
}
}

/** The listener that is told at present. */
template <typename Listener> class place {
public:
    place() = default;
    place(const place &) = delete;
    place &operator=(const place &) = delete;
    ~place() {
        if (present_ != nullptr && present_->until() == listening::until_freed) {
            present_->remove();
        }
    }

    /** Has another one told, none if it is empty, and waits for the calls of the former that are under way. */
    template <typename Set> result replace(typename Listener::function told, listening until, Set &&set) {
        std::shared_ptr<Listener> listener;
        if (told) {
            listener = std::make_shared<Listener>(std::move(told), until);
        }
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            /* The library releases its share also where it refuses it. */
            const std::int32_t code = set(kept(listener));
            if (code != MAILRU_OK) {
                return coded(code);
            }
            std::swap(present_, listener);
        }
        if (listener != nullptr) {
            listener->remove();
        }
        return {};
    }

private:
    std::mutex mutex_;
    std::shared_ptr<Listener> present_;
};

/** The functions of a session. */
struct listeners {
    place<token_listener> token;
    place<renewal_listener> renewal;
};

/** The function of the process's log. */
inline place<log_listener> log_place;

} // namespace detail
} // namespace mailru

#endif /* MAILRU_CALLBACKS_HPP */
