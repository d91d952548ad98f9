/* The JSON that mailru.hpp writes and reads itself: options, tokens, parameters, errors. Part of mailru.hpp. */

#ifndef MAILRU_JSON_HPP
#define MAILRU_JSON_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mailru {
namespace detail {

/** A text as a JSON string. */
inline std::string quoted(std::string_view text) {
    std::string json = "\"";
    for (const char character : text) {
        if (character == '"' || character == '\\') {
            json += '\\';
            json += character;
        } else if (static_cast<unsigned char>(character) < 0x20) {
            char escape[7];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(character));
            json += escape;
        } else {
            json += character;
        }
    }
    return json + '"';
}

/** An object that is being written. */
class object_writer {
public:
    void add(std::string_view name, std::string_view json) {
        members_ += members_.empty() ? "" : ",";
        members_ += quoted(name) + ':';
        members_ += json;
    }
    void text(std::string_view name, const std::optional<std::string> &value) {
        if (value) {
            add(name, quoted(*value));
        }
    }
    template <typename Number> void number(std::string_view name, const std::optional<Number> &value) {
        if (value) {
            add(name, std::to_string(*value));
        }
    }
    void flag(std::string_view name, std::optional<bool> value) {
        if (value) {
            add(name, *value ? "true" : "false");
        }
    }
    /** Members as they stand in an object of the caller's, without its braces. */
    void members(std::string_view members) {
        members_ += members_.empty() || members.empty() ? "" : ",";
        members_ += members;
    }
    bool empty() const noexcept { return members_.empty(); }
    std::string json() const { return '{' + members_ + '}'; }

private:
    std::string members_;
};

inline std::size_t skip_space(std::string_view json, std::size_t at) noexcept {
    const std::size_t next = json.find_first_not_of(" \t\r\n", at);
    return next == std::string_view::npos ? json.size() : next;
}

/** Where a string that begins at this place ends, after its quotation mark. */
inline std::size_t end_of_string(std::string_view json, std::size_t at) noexcept {
    for (at++; at < json.size(); at++) {
        if (json[at] == '\\') {
            at++;
        } else if (json[at] == '"') {
            return at + 1;
        }
    }
    return json.size();
}

/** Where a value ends that begins at this place. */
inline std::size_t end_of_value(std::string_view json, std::size_t at) noexcept {
    std::size_t depth = 0;
    while (at < json.size()) {
        const char character = json[at];
        if (character == '"') {
            at = end_of_string(json, at);
        } else if (character == '{' || character == '[') {
            depth++;
            at++;
        } else if (character == '}' || character == ']') {
            if (depth == 0) {
                return at;
            }
            depth--;
            at++;
        } else if (depth > 0) {
            at++;
            continue;
        } else {
            return json.find_first_of(",:]}[{\" \t\r\n", at) == std::string_view::npos
                       ? json.size()
                       : json.find_first_of(",:]}[{\" \t\r\n", at);
        }
        if (depth == 0) {
            return at;
        }
    }
    return json.size();
}

/** Whether a text is one value, and so cannot break out of the object into which it is written. */
inline bool one_value(std::string_view json) noexcept {
    const std::size_t start = skip_space(json, 0);
    return start < json.size() && end_of_value(json, start) > start &&
           skip_space(json, end_of_value(json, start)) == json.size();
}

inline void append_utf8(std::string &text, std::uint32_t point) {
    const auto byte = [&text](std::uint32_t value) { text += static_cast<char>(static_cast<unsigned char>(value)); };
    if (point < 0x80) {
        byte(point);
    } else if (point < 0x800) {
        byte(0xC0 | point >> 6);
        byte(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        byte(0xE0 | point >> 12);
        byte(0x80 | (point >> 6 & 0x3F));
        byte(0x80 | (point & 0x3F));
    } else {
        byte(0xF0 | point >> 18);
        byte(0x80 | (point >> 12 & 0x3F));
        byte(0x80 | (point >> 6 & 0x3F));
        byte(0x80 | (point & 0x3F));
    }
}

/** The four digits of an escape. */
inline std::uint32_t escaped(std::string_view json, std::size_t at) {
    return static_cast<std::uint32_t>(std::strtoul(std::string(json.substr(at, 4)).c_str(), nullptr, 16));
}

/** The text of a JSON string; anything else as it is written. */
inline std::string unquoted(std::string_view json) {
    if (json.size() < 2 || json.front() != '"') {
        return std::string(json);
    }
    std::string text;
    for (std::size_t at = 1; at + 1 < json.size(); at++) {
        if (json[at] != '\\') {
            text += json[at];
            continue;
        }
        const char kind = json[++at];
        if (kind != 'u') {
            const std::string_view from = "nrtbf", to = "\n\r\t\b\f";
            const std::size_t place = from.find(kind);
            text += place == std::string_view::npos ? kind : to[place];
            continue;
        }
        std::uint32_t point = at + 5 < json.size() ? escaped(json, at + 1) : 0xFFFD;
        at += 4;
        if (point >= 0xD800 && point < 0xDC00 && at + 7 < json.size() && json[at + 1] == '\\' && json[at + 2] == 'u') {
            point = 0x10000 + ((point - 0xD800) << 10) + (escaped(json, at + 3) - 0xDC00);
            at += 6;
        }
        append_utf8(text, point);
    }
    return text;
}

/** Calls a function with each member of an object: its name, and its value as it is written. */
template <typename Function> void each_member(std::string_view object, Function function) {
    std::size_t at = skip_space(object, 0);
    if (at >= object.size() || object[at] != '{') {
        return;
    }
    for (at = skip_space(object, at + 1); at < object.size() && object[at] == '"'; at = skip_space(object, at + 1)) {
        const std::size_t end = end_of_string(object, at);
        const std::string name = unquoted(object.substr(at, end - at));
        const std::size_t colon = skip_space(object, end);
        const std::size_t value = skip_space(object, colon + 1);
        if (colon >= object.size() || value >= object.size()) {
            return;
        }
        const std::size_t after = end_of_value(object, value);
        function(name, object.substr(value, after - value));
        at = skip_space(object, after);
        if (at >= object.size() || object[at] != ',') {
            return;
        }
    }
}

/** A member of an object as it is written; none where it is absent or null. */
inline std::optional<std::string_view> member(std::string_view object, std::string_view name) {
    std::optional<std::string_view> found;
    each_member(object, [&](const std::string &each, std::string_view value) {
        if (each == name && value != "null") {
            found = value;
        }
    });
    return found;
}

inline std::optional<std::string> text_member(std::string_view object, std::string_view name) {
    const std::optional<std::string_view> json = member(object, name);
    return json ? std::optional<std::string>(unquoted(*json)) : std::nullopt;
}

inline std::optional<std::int64_t> number_member(std::string_view object, std::string_view name) {
    const std::optional<std::string_view> json = member(object, name);
    return json ? std::optional<std::int64_t>(std::strtoll(std::string(*json).c_str(), nullptr, 10)) : std::nullopt;
}

/** The elements of an array, as they are written. */
inline std::vector<std::string_view> elements(std::string_view array) {
    std::vector<std::string_view> found;
    std::size_t at = skip_space(array, 0);
    if (at >= array.size() || array[at] != '[') {
        return found;
    }
    for (at = skip_space(array, at + 1); at < array.size() && array[at] != ']'; at = skip_space(array, at + 1)) {
        const std::size_t end = end_of_value(array, at);
        found.push_back(array.substr(at, end - at));
        at = skip_space(array, end);
        if (at >= array.size() || array[at] != ',') {
            break;
        }
    }
    return found;
}

} // namespace detail

/** A value of a call's parameter: a text, a number, a truth, nothing (the parameter is left out), or a list of them. */
class value {
public:
    value(std::nullptr_t) : json_("null") {}
    value(const char *text) : json_(text == nullptr ? "null" : detail::quoted(text)) {}
    value(const std::string &text) : json_(detail::quoted(text)) {}
    value(std::string_view text) : json_(detail::quoted(text)) {}
    /** An integer with every digit; true and false are those of JSON. */
    template <typename Integer, typename = std::enable_if_t<std::is_integral_v<Integer>>>
    value(Integer number) : json_(of_integer(number)) {}
    /** Not a number and infinity are sent as null. */
    value(double number) : json_(of_double(number)) {}
    value(std::initializer_list<value> list) : json_(of_list(list)) {}
    template <typename Item> value(const std::vector<Item> &list) : json_(of_list(list)) {}

    const std::string &json() const noexcept { return json_; }

private:
    template <typename Integer> static std::string of_integer(Integer number) {
        if constexpr (std::is_same_v<Integer, bool>) {
            return number ? "true" : "false";
        } else {
            return std::to_string(number);
        }
    }
    static std::string of_double(double number) {
        if (!std::isfinite(number)) {
            return "null";
        }
        char text[32];
        std::snprintf(text, sizeof text, "%.*g", std::numeric_limits<double>::max_digits10, number);
        /* The host's locale may write a comma. */
        for (char &character : text) {
            character = character == ',' ? '.' : character;
        }
        return text;
    }
    template <typename List> static std::string of_list(const List &list) {
        std::string json = "[";
        for (const auto &item : list) {
            json += (json.size() > 1 ? "," : "") + value(item).json();
        }
        return json + ']';
    }

    std::string json_;
};

/** A call's parameters: params{{"uids", ids}, {"ext", true}}. A name must come from the program and never from a user. */
class params {
public:
    params() = default;
    params(std::initializer_list<std::pair<std::string_view, value>> members) {
        for (const auto &each : members) {
            add(each.first, each.second);
        }
    }
    params &add(std::string_view name, const value &given) {
        members_.add(name, given.json());
        return *this;
    }
    std::string json() const { return members_.json(); }

private:
    detail::object_writer members_;
};

} // namespace mailru

#endif /* MAILRU_JSON_HPP */
