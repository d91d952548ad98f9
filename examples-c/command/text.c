/* Texts that grow, and JSON as far as the command needs it. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

static void make_room(struct text *text, size_t more) {
    if (text->size + more + 1 <= text->room) return;
    size_t room = 2 * text->room + more + 64;
    char *bytes = malloc(room);
    if (bytes == NULL) {
        fputs("mailru: there is not enough memory\n", stderr);
        exit(BUG);
    }
    if (text->bytes != NULL) memcpy(bytes, text->bytes, text->size + 1);
    else *bytes = '\0';
    size_t size = text->size;
    forget(text); /* it may hold a secret: realloc would leave a copy behind */
    *text = (struct text){bytes, size, room};
}

void add_bytes(struct text *text, const char *more, size_t size) {
    make_room(text, size);
    memcpy(text->bytes + text->size, more, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

void add(struct text *text, const char *more) { add_bytes(text, more, strlen(more)); }

void forget(struct text *text) {
    for (volatile char *byte = text->bytes; byte != NULL && byte < text->bytes + text->room; byte++) *byte = '\0';
    free(text->bytes);
    *text = (struct text){0};
}

char *copy_of(const char *value) {
    if (value == NULL) return NULL;
    struct text copy = {0};
    add(&copy, value);
    return copy.bytes;
}

void add_string(struct text *text, const char *value) {
    add(text, "\"");
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        char escape[8];
        if (byte == '"' || byte == '\\') snprintf(escape, sizeof escape, "\\%c", byte);
        else if (byte < 0x20) snprintf(escape, sizeof escape, "\\u%04x", byte);
        else snprintf(escape, sizeof escape, "%c", byte);
        add(text, escape);
    }
    add(text, "\"");
}

static void begin_member(struct text *object) {
    if (object->bytes[object->size - 1] != '{') add(object, ",");
}

void add_member(struct text *object, const char *name, const char *value) {
    if (value == NULL) return;
    begin_member(object);
    add_string(object, name);
    add(object, ":");
    add_string(object, value);
}

void add_members(struct text *object, const char *json) {
    const char *first = strchr(json, '{'), *end = strrchr(json, '}');
    /* What is no object stays as it is: the library's message names the place. */
    size_t size = first != NULL && end > first ? (size_t)(end - first - 1) : strlen(json);
    first = first != NULL && end > first ? first + 1 : json;
    if (first[strspn(first, " \t\r\n")] == '}') return;
    begin_member(object);
    add_bytes(object, first, size);
}

/* Four hexadecimal digits. */
static unsigned code_unit(const char *digits) {
    char copy[5] = "";
    strncat(copy, digits, 4);
    return (unsigned)strtoul(copy, NULL, 16);
}

static void add_character(struct text *text, unsigned long character) {
    char bytes[4];
    size_t size = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; character >>= 6) bytes[i] = (char)(0x80 | (character & 0x3F));
    bytes[0] = (char)(size == 1 ? character : (0xF00UL >> size & 0xFF) | character);
    add_bytes(text, bytes, size);
}

bool read_string(const char **at, struct text *value) {
    const char *next = *at;
    if (*next++ != '"') return false;
    value->size = 0;
    add(value, "");
    for (; *next != '"'; next++) {
        if (*next == '\0') return false;
        if (*next != '\\') {
            add_bytes(value, next, 1);
            continue;
        }
        static const char named[] = "b\bf\fn\nr\rt\t";
        const char *known = strchr("bfnrt", *++next) != NULL ? strchr(named, *next) : NULL;
        if (*next == '\0') return false;
        if (*next != 'u') {
            add_bytes(value, known != NULL ? known + 1 : next, 1);
            continue;
        }
        unsigned long character = code_unit(next + 1);
        next += strnlen(next + 1, 4);
        if (character >= 0xD800 && character < 0xDC00 && strncmp(next + 1, "\\u", 2) == 0) {
            character = 0x10000 + ((character - 0xD800) << 10) + (code_unit(next + 3) - 0xDC00);
            next += 2 + strnlen(next + 3, 4);
        }
        add_character(value, character);
    }
    *at = next + 1;
    return true;
}

/* Where a member's value begins. A quotation mark within a string is escaped, so nothing else looks like its name. */
static const char *value_of(const char *json, const char *name) {
    struct text key = {0};
    add_string(&key, name);
    add(&key, ":");
    const char *found = strstr(json, key.bytes);
    if (found != NULL) found += key.size;
    forget(&key);
    return found == NULL ? NULL : found + strspn(found, " ");
}

bool member(const char *json, const char *name, struct text *value) {
    const char *at = value_of(json, name);
    return at != NULL && read_string(&at, value);
}

long long number(const char *json, const char *name, long long otherwise) {
    const char *at = value_of(json, name);
    if (at == NULL) return otherwise;
    char *end;
    long long value = strtoll(at, &end, 10);
    return end == at ? otherwise : value;
}
