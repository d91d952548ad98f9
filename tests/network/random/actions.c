/* What a thread does next. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random.h"

#define GET(counter) atomic_load_explicit(counter, memory_order_relaxed)
#define ONE_OF(list) ((list)[drawn(sizeof(list) / sizeof *(list))])

static const char *const methods[] = {"friends.get",  "users.getInfo",    "sandbox.echoWrite", "sandbox.echo",
                                      "sandbox.echo", "sandbox.echoSlow", "no.such"};

static uint64_t any_cancel(void) { return drawn(3) ? 0 : GET(&cancels[drawn(CANCELS)]); }

/* Parameters, valid or not; the caller frees them. `mark` is what an echo has to hold, or empty. */
static char *parameters(char mark[30]) {
    static const char *const others[] = {
        "", "{}", "{\"ext\":1}", "{\"text\":\"\\u043f\\u0440\\u0438 & \\\"\"}", "{\"a\":[1,\"x\",true],\"b\":null,\"c\":{\"d\":1.5}}",
        "{\"sig\":\"1\"}", "{\"a\":1,\"a\":2}", "[1]", "{\"a\":", "\xff"};
    mark[0] = 0;
    switch (drawn(4)) {
        case 0: return strdup(ONE_OF(others));
        case 1: {
            size_t size = 100 + drawn(drawn(8) ? 3000 : 60000);
            char *text = malloc(size + 40);
            int length = sprintf(text, "{\"text\":\"");
            memset(text + length, 'a', size);
            strcpy(text + length + size, "\"}");
            return text;
        }
        case 2: return NULL;
        default: {
            static atomic_uint marks;
            char *text = malloc(60);
            snprintf(mark, 30, "mark-%u-", atomic_fetch_add_explicit(&marks, 1, memory_order_relaxed));
            snprintf(text, 60, "{\"id\":\"%s\"}", mark);
            return text;
        }
    }
}

/* An echo that belongs to another call would hold another mark; what a fault answers holds none. */
static void check_echo(const char *method, const char *mark, const char *json, int32_t code) {
    if (code != MAILRU_OK || !*mark || strncmp(method, "sandbox.echo", 12) || !json || !strstr(json, "mark-")) return;
    atomic_fetch_add_explicit(&echoes_sum, 1, memory_order_relaxed);
    if (!strstr(json, mark)) violated("%s: another call's answer: %.200s", method, json);
}

static void call(void) {
    char mark[30], *params = parameters(mark);
    int32_t code = POISONED;
    const char *method = drawn(30) ? ONE_OF(methods) : drawn(2) ? "bad name" : NULL;
    bool is_within = drawn(2);
    int64_t limit = drawn(2) ? 0 : 1 + drawn(400);
    char *json = is_within ? M(call_within, any_session(), method, params, limit, any_cancel(), &code)
                           : M(call, any_session(), method, params, &code);
    judged(is_within ? F_call_within : F_call, json, code, REQUEST);
    if (method) check_echo(method, mark, json, code);
    M(string_free, json);
    free(params);
}

/* A request as JSON, and whether it has a file. */
static bool request_json(char *text, size_t size) {
    bool has_file = false;
    int length = 0;
    switch (drawn(5)) {
        case 0: length = snprintf(text, size, "{\"authorize\":true"); break;
        case 1: length = snprintf(text, size, "{\"public\":\"mail/demo\",\"params\":{\"a\":1}"); break;
        case 2:
            length = snprintf(text, size, "{\"method\":\"sandbox.echo\",\"file\":{\"field\":\"img_file\",\"name\":\"a.jpg\",\"type\":\"image/jpeg\"}");
            has_file = true;
            break;
        default: length = snprintf(text, size, "{\"method\":\"%s\",\"params\":{\"b\":\"c\"}", ONE_OF(methods));
    }
    if (drawn(3) == 0) length += snprintf(text + length, size - length, ",\"timeout_ms\":%u", 1 + drawn(500));
    if (drawn(4) == 0) length += snprintf(text + length, size - length, ",\"retries\":0,\"pass_error\":true");
    snprintf(text + length, size - length, drawn(50) ? "}" : ",\"no_such\":1}");
    return has_file;
}

static void request(void) {
    char text[300];
    size_t size = drawn(50000);
    uint8_t *data = request_json(text, sizeof text) ? calloc(size + 1, 1) : NULL;
    int32_t code = POISONED;
    char *json = M(request, any_session(), text, data, data ? size : 0, any_cancel(), &code);
    settled(F_request, json, code, REQUEST);
    free(data);
}

static void upload(void) {
    size_t size = drawn(100000);
    uint8_t *data = malloc(size + 1);
    memset(data, 'x', size);
    int32_t code = POISONED;
    const char *name = drawn(20) ? "a \"b\".jpg" : NULL;
    char *json = M(upload, any_session(), "sandbox.echo", "{\"a\":1}", "img_file", name, data, size, &code);
    settled(F_upload, json, code, REQUEST);
    free(data);
}

static void read_public(void) {
    int32_t code = POISONED;
    const char *path = drawn(10) ? "mail/demo" : "../x";
    SETTLED(public, M(public, any_session(), path, drawn(2) ? NULL : "{\"a\":\"b\"}", &code), REQUEST);
}

static void look(void) {
    uint64_t session = any_session();
    int32_t code;
    SETTLED(stats, M(stats, session, &code), LOCAL);
    SETTLED(tokens, M(tokens, session, &code), LOCAL);
    SETTLED(sign, M(sign, session, ONE_OF(methods), "{\"a\":1}", &code), LOCAL | BIT(MAILRU_SIGNATURE_UNDEFINED));
}

static void authorize(void) {
    int32_t code;
    SETTLED(authorize, M(authorize, any_session(), &code), REQUEST);
}

static void set_tokens(void) {
    int platform = (int)drawn(2);
    char text[300], *error = poison;
    snprintf(text, sizeof text, "{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"expires_in\":%u}", SESSION_KEY,
             refresh_tokens[platform], drawn(4) ? 3600 : 1);
    int32_t code = M(session_set_tokens, any_session(), drawn(10) ? text : "{\"a\"", &error);
    settled_error(F_session_set_tokens, error, code != MAILRU_OK, LOCAL);
}

/* Ends what a callback began, replaces a callback, or removes it. */
static void listen_(void) {
    if (drawn(4) == 0) return fits(F_session_hold, M(session_hold, any_session(), drawn(10) == 9), LOCAL);
    struct listener *listener = drawn(4) ? listener_new() : NULL;
    uint64_t session = any_session();
    switch (drawn(3)) {
        case 0:
            fits(F_session_on_token,
                 M(session_on_token, session, listener ? on_token : NULL, listener, listener ? on_release : NULL), LOCAL);
            break;
        case 1:
            fits(F_session_on_renewal,
                 M(session_on_renewal, session, listener ? on_renewal : NULL, listener, listener ? on_release : NULL),
                 LOCAL);
            break;
        default:
            fits(F_set_log,
                 M(set_log, listener ? on_log : NULL, listener, listener ? on_release : NULL,
                   (int)drawn(6) + (drawn(4) ? 0 : MAILRU_LOG_IN_CALLS)),
                 BIT(MAILRU_OK) | BIT(MAILRU_INVALID_ARGUMENT));
    }
}

static void submit(void) {
    uint32_t index;
    char mark[30], *params = parameters(mark), *error = poison;
    mailru_queue queue = queue_of(drawn(QUEUES), &index);
    uint64_t tag = submission_new(index);
    if (tag != 0) {
        const uint64_t allowed = REQUEST | BIT(MAILRU_QUEUE_FULL);
        char text[300];
        bool is_request = drawn(2), has_file = request_json(text, sizeof text);
        size_t size = drawn(50000);
        uint8_t *data = has_file ? calloc(size + 1, 1) : NULL;
        int32_t code = is_request ? M(queue_request, queue, any_session(), text, data, has_file ? size : 0, any_cancel(), tag, &error)
                                  : M(queue_submit, queue, any_session(), ONE_OF(methods), params, tag, &error);
        free(data);
        submission_over(tag, code == MAILRU_OK);
        settled_error(is_request ? F_queue_request : F_queue_submit, error, code != MAILRU_OK, allowed);
        if (drawn(10) == 0) fits(F_queue_cancel, M(queue_cancel, queue, tag), LOCAL);
    }
    free(params);
}

static void next(void) { take(drawn(QUEUES), (int32_t)drawn(30)); }

static void watch(void) {
    uint32_t index;
    /* It belongs to the queue, which another thread may free at any time: nothing is read from it. */
    M(queue_fd, queue_of(drawn(QUEUES), &index));
}

static void cancel(void) {
    unsigned slot = drawn(CANCELS);
    uint64_t handle = GET(&cancels[slot]), sent = POISONED, total = POISONED;
    fits(F_cancel_progress, M(cancel_progress, handle, &sent, &total), LOCAL);
    if (sent == (uint64_t)POISONED || total == (uint64_t)POISONED) violated("no progress was written");
    if (drawn(2) == 0) fits(F_session_cancel, M(session_cancel, any_session()), LOCAL);
    uint64_t old = atomic_exchange_explicit(&cancels[slot], M(cancel_new), memory_order_relaxed);
    if (drawn(2)) fits(F_cancel_fire, M(cancel_fire, old), LOCAL);
    M(cancel_free, old);
    if (drawn(4) == 0) fits(F_cancel_fire, M(cancel_fire, old), BIT(MAILRU_INVALID_HANDLE));
}

static void new_session(void) { session_replace(drawn(SESSIONS)); }

static void new_queue(void) {
    if (drawn(4) == 0) queue_replace(drawn(QUEUES));
}

void in_child(void) {
    uint32_t index;
    int32_t code;
    SETTLED(queue_next, M(queue_next, queue_of(drawn(QUEUES), &index), 0, NULL, &code), BIT(MAILRU_INVALID_HANDLE));
    for (int i = 0; i < 3; i++) {
        SETTLED(call_within, M(call_within, any_session(), "friends.get", NULL, 500, 0, &code), REQUEST);
        look();
    }
    session_replace(drawn(SESSIONS));
    helper();
}

/* One in so many of these actions forks. */
#ifndef FORK_RARELY
#define FORK_RARELY 20
#endif

static void fork_(void) {
    if (drawn(FORK_RARELY)) return;
    atomic_fetch_add_explicit(&forks_sum, 1, memory_order_relaxed);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        atomic_store_explicit(&violations, 0, memory_order_relaxed);
        in_child();
        if (GET(&violations) != 0) _exit(1);
        /* Not by an exit: to a tool, what the parent's other threads hold would be lost in the child. */
        execl("/bin/true", "true", (char *)NULL);
        _exit(0);
    }
    int status = 0;
    if (child > 0 && waitpid(child, &status, 0) == child && status != 0) violated("a child ended with %d", status);
}

void action(void) {
    static void (*const all[])(void) = {call,   call,   call,        call,      call,   call,   request, request,    upload,
                                        submit, submit, submit,      submit,    submit, next,   next,    next,       next,
                                        next,   next,   read_public, authorize, look,   cancel, listen_, set_tokens, new_session,
                                        watch,  helper, new_queue,   fork_};
    ONE_OF(all)();
}
