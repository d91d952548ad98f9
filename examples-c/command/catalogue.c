/* Commands that need no platform: methods, errors, version. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

/* How many of these brackets are opened in a line and not closed there; none stands in the catalogues' strings. */
static int depth(const char *line, size_t size) {
    int depth = 0;
    for (const char *end = line + size; line < end; line++) depth += (*line == '{') - (*line == '}');
    return depth;
}

/* Copies the next object of an array, and moves behind it. */
static bool next_entry(const char **at, struct text *entry) {
    const char *first = strchr(*at, '{'), *end = first;
    if (first == NULL) return false;
    do end = strchr(end, '}') + 1;
    while (depth(first, (size_t)(end - first)) > 0);
    entry->size = 0;
    add_bytes(entry, first, (size_t)(end - first));
    *at = end;
    return true;
}

static void describe_method(const char *entry, const char *name) {
    struct text value = {0}, param = {0};
    member(entry, "summary", &value);
    printf("%s\n  %s\n", name, value.bytes);
    printf("  It %s.\n", strstr(entry, "\"write\": true") != NULL || strstr(entry, "\"write\":true") != NULL
                             ? "writes: a failed call may have been done"
                             : "only reads: it is repeated after failures that may pass");
    if (member(entry, "privilege", &value)) printf("  It needs the privilege %s.\n", value.bytes);
    const char *at = strchr(entry, '[');
    if (at == NULL || strchr(at, '{') == NULL) puts("  No parameters of its own.");
    while (at != NULL && next_entry(&at, &param)) {
        member(param.bytes, "name", &value);
        printf("  %-16s ", value.bytes);
        member(param.bytes, "type", &value);
        bool is_required = strstr(param.bytes, "\"required\": true") != NULL
                           || strstr(param.bytes, "\"required\":true") != NULL;
        printf("%-8s%s", value.bytes, is_required ? "needed    " : "          ");
        puts(member(param.bytes, "summary", &value) ? value.bytes : "");
    }
    forget(&value);
    forget(&param);
}

int methods(char **arguments) {
    char *catalogue = mailru_methods(NULL);
    struct text entry = {0}, name = {0}, summary = {0};
    bool found = false;
    if (settings.json && *arguments == NULL) puts(catalogue);
    for (const char *at = catalogue; !(settings.json && *arguments == NULL) && next_entry(&at, &entry);) {
        member(entry.bytes, "name", &name);
        if (*arguments == NULL) {
            member(entry.bytes, "summary", &summary);
            printf("%-28s %s\n", name.bytes, summary.bytes);
        } else if (strcmp(name.bytes, *arguments) == 0) {
            if (settings.json) puts(entry.bytes);
            else describe_method(entry.bytes, name.bytes);
            found = true;
        }
    }
    forget(&entry);
    forget(&name);
    forget(&summary);
    mailru_string_free(catalogue);
    if (*arguments == NULL || found) return DONE;
    return complain("%s is not in the catalogue; it can be called all the same, and counts as one that writes",
                    *arguments);
}

int errors(char **arguments) {
    char *catalogue = mailru_errors(NULL);
    struct text entry = {0}, text = {0};
    bool found = false;
    if (settings.json && *arguments == NULL) puts(catalogue);
    for (const char *at = catalogue; !(settings.json && *arguments == NULL) && next_entry(&at, &entry);) {
        char code[24];
        snprintf(code, sizeof code, "%lld", number(entry.bytes, "code", 0));
        if (*arguments != NULL && strcmp(code, *arguments) != 0) continue;
        found = true;
        if (settings.json) {
            puts(entry.bytes);
            continue;
        }
        member(entry.bytes, "meaning", &text);
        printf("%3s  %s\n", code, text.bytes);
        member(entry.bytes, "advice", &text);
        printf("     %s\n", text.bytes);
    }
    forget(&entry);
    forget(&text);
    mailru_string_free(catalogue);
    if (*arguments == NULL || found) return DONE;
    return complain("%s is no number of the platform's that is known; mailru errors lists them", *arguments);
}

int version(char **arguments) {
    if (*arguments != NULL) return complain("version takes no argument");
    printf("mailru %s (ABI %u)\n", mailru_version(), (unsigned)mailru_abi_version());
    return DONE;
}
