/*
 * A host in C: runs the named parts in order.
 *
 *     host PART...     results, nulls, handles, soak:SECONDS; leak and overrun do what no host should
 */
#include "check.h"

#include <stdarg.h>

char poison[] = "what an out-parameter held before";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int failed;

bool check(bool holds, const char *format, ...) {
    if (holds) return true;
    va_list values;
    va_start(values, format);
    pthread_mutex_lock(&lock);
    failed++;
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    pthread_mutex_unlock(&lock);
    va_end(values);
    return false;
}

int failures(void) {
    pthread_mutex_lock(&lock);
    int count = failed;
    pthread_mutex_unlock(&lock);
    return count;
}

void answered(const char *what, char *json, const int32_t *code, int32_t expected, const char *contained) {
    if (!check(json != NULL && json != poison, "%s: no JSON", what)) return;
    int32_t outcome = code != NULL ? *code : expected;
    check(outcome == expected, "%s: %s, not %s: %s", what, mailru_code_name(outcome),
          mailru_code_name(expected), json);
    check(contained == NULL || strstr(json, contained) != NULL, "%s: no %s in %s", what, contained, json);
    bool is_error = strncmp(json, "{\"error\":{", 10) == 0;
    check(is_error == (expected != MAILRU_OK), "%s: %s with %s", what, mailru_code_name(expected), json);
    if (expected != MAILRU_OK && expected != MAILRU_API_ERROR) {
        char number[32];
        snprintf(number, sizeof number, "\"error_code\":%d,", -(int)expected);
        check(strstr(json, number) != NULL, "%s: no %s in %s", what, number, json);
        check(strstr(json, "\"error_msg\":\"") != NULL, "%s: no message in %s", what, json);
        check(strstr(json, "\"transient\":") != NULL, "%s: no transient in %s", what, json);
    }
    const char *secrets[] = {PRIVATE_KEY, SECRET_KEY, SESSION_KEY};
    for (size_t i = 0; is_error && i < sizeof secrets / sizeof *secrets; i++) {
        check(strstr(json, secrets[i]) == NULL, "%s: an error shows a secret: %s", what, json);
    }
    mailru_string_free(json);
}

void refused(const char *what, uint64_t handle, char *error, int32_t expected, const char *contained) {
    check(handle == 0, "%s: a handle", what);
    answered(what, error, NULL, expected, contained);
}

const char *given(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set\n", name);
        exit(2);
    }
    return value;
}

mailru_session client(const char *options) {
    char *error = poison;
    if (options == NULL) options = given("MAILRU_OPTIONS");
    mailru_session session =
        mailru_client_session_new(APP_ID, PRIVATE_KEY, SESSION_KEY, UID, options, &error);
    check(session != 0 && error == NULL, "a client session: %s", error != NULL ? error : "no reason");
    return session;
}

void pause_ms(long milliseconds) {
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* Shows whether the tool finds strings that are never released. */
static void leak(void) {
    /* Several, because a stale copy of one pointer on the stack may hide one leak. */
    for (int i = 0; i < 8; i++) printf("leaks %c\n", *mailru_methods(NULL));
}

/* Shows whether the tool finds a read beyond the end of a string. */
static void overrun(void) {
    char *json = mailru_methods(NULL);
    volatile char behind = json[strlen(json) + 1];
    (void)behind;
    mailru_string_free(json);
}

int main(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        const char *part = arguments[i];
        int seconds;
        if (strcmp(part, "results") == 0) {
            results();
        } else if (strcmp(part, "figures") == 0) {
            figures();
        } else if (strcmp(part, "nulls") == 0) {
            nulls();
        } else if (strcmp(part, "handles") == 0) {
            handles();
        } else if (sscanf(part, "soak:%d", &seconds) == 1) {
            soak(seconds);
        } else if (strcmp(part, "leak") == 0) {
            leak();
        } else if (strcmp(part, "overrun") == 0) {
            overrun();
        } else {
            check(false, "no such part: %s", part);
        }
    }
    return failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
