/* What is told of an outcome, and the exit status that goes with it. */
#include "command.h"

#include <stdarg.h>
#include <string.h>

int complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("mailru: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return WRONG_USE;
}

static int status_of(int32_t code) {
    switch (code) {
    case MAILRU_OK: return DONE;
    case MAILRU_API_ERROR: return PLATFORM_REFUSED;
    case MAILRU_INVALID_ARGUMENT:
    case MAILRU_SIGNATURE_UNDEFINED: return WRONG_USE;
    case MAILRU_SIGNATURE_MISMATCH: return WRONG_SIGNATURE;
    case MAILRU_OAUTH_ERROR: return LOGIN_REFUSED;
    case MAILRU_INTERNAL_ERROR: return BUG;
    default: return NO_ANSWER;
    }
}

/* What the catalogue of errors says to do about a platform's number. */
static void tell_advice(long long platform_number) {
    char *catalogue = mailru_errors(NULL);
    for (const char *entry = strchr(catalogue, '{'); entry != NULL; entry = strchr(entry + 1, '{')) {
        struct text advice = {0};
        if (number(entry, "code", 0) == platform_number && member(entry, "advice", &advice)) {
            fprintf(stderr, "  %s\n", advice.bytes);
            entry = strrchr(catalogue, '{');
        }
        forget(&advice);
    }
    mailru_string_free(catalogue);
}

int tell_failure(const char *json, int32_t code, const char *retry) {
    long long platform_number = mailru_error_number(json);
    int32_t told;
    char *message = mailru_error_message(json, &told);
    fprintf(stderr, "mailru: %s", mailru_code_name(code));
    if (platform_number > 0) fprintf(stderr, " %lld", platform_number);
    fprintf(stderr, ": %s\n", told == MAILRU_OK ? message : json);
    mailru_string_free(message);
    if (platform_number > 0) tell_advice(platform_number);
    if (platform_number == 104 && retry != NULL) fprintf(stderr, "  What was hashed: %s\n", retry);
    if (code == MAILRU_OAUTH_ERROR) fputs("  Log in again: mailru login\n", stderr);
    if (mailru_error_transient(json)) fputs("  The same command may succeed later.\n", stderr);
    return status_of(code);
}

int finish(char *json, int32_t code, const char *retry) {
    int status = status_of(code);
    if (code == MAILRU_OK || settings.json) puts(json);
    else status = tell_failure(json, code, retry);
    mailru_string_free(json);
    return status;
}

/* All of the input. */
static void read_input(struct text *text) {
    char piece[4096];
    size_t size;
    while ((size = fread(piece, 1, sizeof piece, stdin)) > 0) add_bytes(text, piece, size);
}

int read_params(char **arguments, struct text *json) {
    if (*arguments != NULL && arguments[1] == NULL && **arguments == '{') {
        add(json, *arguments);
        return DONE;
    }
    if (*arguments != NULL && arguments[1] == NULL && strcmp(*arguments, "-") == 0) {
        read_input(json);
        return DONE;
    }
    add(json, "{");
    for (; *arguments != NULL; arguments++) {
        char *value = strchr(*arguments, '=');
        if (value == NULL || value == *arguments) {
            return complain("%s: a parameter is name=value; or give one JSON object, or - for one from the input",
                            *arguments);
        }
        *value = '\0';
        add_member(json, *arguments, value + 1);
        *value = '=';
    }
    add(json, "}");
    return DONE;
}
