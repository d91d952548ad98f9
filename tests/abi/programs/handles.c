/*
 * Invalid handles: made up, freed, of another kind. Each function returns the code and writes its out-parameters;
 * none does harm.
 */
#include "check.h"

#include <inttypes.h>

static const char stale[] = "\"argument\":\"session\"";

static void no_session(uint64_t handle) {
    int32_t code = POISONED_CODE;
    char *json = mailru_call(handle, "friends.get", NULL, &code);
    answered("mailru_call", json, &code, MAILRU_INVALID_HANDLE, stale);
    code = POISONED_CODE;
    json = mailru_call_within(handle, "friends.get", NULL, 1000, 0, &code);
    answered("mailru_call_within", json, &code, MAILRU_INVALID_HANDLE, stale);
    code = POISONED_CODE;
    json = mailru_upload(handle, "photos.upload", NULL, "img_file", "a.jpg", (const uint8_t *)"a", 1, &code);
    answered("mailru_upload", json, &code, MAILRU_INVALID_HANDLE, stale);
    code = POISONED_CODE;
    json = mailru_public(handle, "mail/demo", NULL, &code);
    answered("mailru_public", json, &code, MAILRU_INVALID_HANDLE, stale);
    code = POISONED_CODE;
    json = mailru_sign(handle, "friends.get", NULL, &code);
    answered("mailru_sign", json, &code, MAILRU_INVALID_HANDLE, stale);
    code = POISONED_CODE;
    json = mailru_authorize(handle, &code);
    answered("mailru_authorize", json, &code, MAILRU_INVALID_HANDLE, stale);
    code = POISONED_CODE;
    json = mailru_tokens(handle, &code);
    answered("mailru_tokens", json, &code, MAILRU_INVALID_HANDLE, stale);
    answered("mailru_call without a code", mailru_call(handle, "friends.get", NULL, NULL), NULL,
             MAILRU_INVALID_HANDLE, stale);
    check(mailru_session_cancel(handle) == MAILRU_INVALID_HANDLE, "mailru_session_cancel");
    check(mailru_session_on_token(handle, NULL, NULL, NULL) == MAILRU_INVALID_HANDLE, "mailru_session_on_token");
}

static void no_cancel(uint64_t handle, mailru_session session) {
    check(mailru_cancel_fire(handle) == MAILRU_INVALID_HANDLE, "mailru_cancel_fire");
    if (handle == 0) return; /* no cancel handle, for a call */
    int32_t code = POISONED_CODE;
    char *json = mailru_call_within(session, "friends.get", NULL, 0, handle, &code);
    answered("mailru_call_within", json, &code, MAILRU_INVALID_HANDLE, "\"argument\":\"cancel\"");
}

static void no_queue(uint64_t handle, mailru_session session) {
    char *error = poison;
    int32_t code = mailru_queue_submit(handle, session, "friends.get", NULL, 1, &error);
    answered("mailru_queue_submit", error, &code, MAILRU_INVALID_HANDLE, "\"argument\":\"queue\"");
    uint64_t tag = POISONED_TAG;
    code = POISONED_CODE;
    char *json = mailru_queue_next(handle, -1, &tag, &code);
    answered("mailru_queue_next", json, &code, MAILRU_INVALID_HANDLE, "\"argument\":\"queue\"");
    check(tag == 0, "mailru_queue_next leaves a tag of %" PRIu64, tag);
    check(mailru_queue_cancel(handle, 1) == MAILRU_INVALID_HANDLE, "mailru_queue_cancel");
    check(mailru_queue_fd(handle) == -1, "mailru_queue_fd");
}

static int releases;

static void released(void *user_data) {
    ++*(int *)user_data;
}

static void never(void *user_data, const char *tokens_json) {
    check(false, "a callback of a session that is none: %p %s", user_data, tokens_json);
}

void handles(void) {
    mailru_session session = client(NULL), other = client(NULL), freed = client(NULL);
    mailru_cancel cancel = mailru_cancel_new(), freed_cancel = mailru_cancel_new();
    mailru_queue queue = mailru_queue_new(1, 4, NULL), freed_queue = mailru_queue_new(1, 4, NULL);
    uint64_t live[] = {session, other, cancel, queue};
    for (size_t i = 0; i < 4; i++) {
        check(live[i] != 0 && live[i] < UINT64_C(1) << 53, "handle %" PRIu64, live[i]);
        for (size_t j = 0; j < i; j++) check(live[i] != live[j], "%" PRIu64 " is given out twice", live[i]);
    }
    for (int twice = 0; twice < 2; twice++) {
        mailru_session_free(freed);
        mailru_cancel_free(freed_cancel);
        mailru_queue_free(freed_queue);
    }

    /* Made-up handles. */
    uint64_t wrong[] = {0, 1, 42, UINT64_MAX, UINT64_C(1) << 53, session - 1, session + 1, freed, freed_cancel,
                        freed_queue};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        no_session(wrong[i]);
        no_cancel(wrong[i], session);
        no_queue(wrong[i], session);
        mailru_session_free(wrong[i]);
        mailru_cancel_free(wrong[i]);
        mailru_queue_free(wrong[i]);
    }

    /* Handles of another kind; freeing by the wrong function frees nothing. */
    no_session(cancel);
    no_session(queue);
    no_cancel(session, session);
    no_cancel(queue, session);
    no_queue(session, session);
    no_queue(cancel, session);
    mailru_session_free(cancel);
    mailru_session_free(queue);
    mailru_cancel_free(session);
    mailru_cancel_free(queue);
    mailru_queue_free(session);
    mailru_queue_free(cancel);

    /* A queue names the handle that is wrong. */
    char *error = poison;
    int32_t code = mailru_queue_submit(queue, freed, "friends.get", NULL, 1, &error);
    answered("mailru_queue_submit", error, &code, MAILRU_INVALID_HANDLE, stale);

    /* User data is released on failure too. */
    check(mailru_session_on_token(freed, never, &releases, released) == MAILRU_INVALID_HANDLE, "no such session");
    check(releases == 1, "released %d times", releases);

    /* All live handles still work. */
    char *json = mailru_call_within(session, "friends.get", NULL, 0, cancel, &code);
    answered("the session", json, &code, MAILRU_OK, NULL);
    check(mailru_queue_submit(queue, other, "friends.get", NULL, 1, NULL) == MAILRU_OK, "the queue");
    answered("the queue", mailru_queue_next(queue, -1, NULL, NULL), NULL, MAILRU_OK, NULL);
    check(mailru_cancel_fire(cancel) == MAILRU_OK && mailru_cancel_fire(cancel) == MAILRU_OK, "it stays fired");
    json = mailru_call_within(session, "friends.get", NULL, 0, cancel, &code);
    answered("a fired handle", json, &code, MAILRU_CANCELLED, NULL);

    mailru_queue_free(queue);
    mailru_cancel_free(cancel);
    mailru_session_free(session);
    mailru_session_free(other);
}
