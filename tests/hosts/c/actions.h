/* What the actions of cases.tsv do with a session. Included by conformance.c alone, so that one command compiles both. */
#include <mailru.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct answer {
    int32_t code;
    char *json; /* the library's; NULL if there is none */
};

struct call {
    void (*end)(struct call *); /* ends the call from elsewhere */
    mailru_session session;
    mailru_cancel cancel;
    const char *method;
    const char *parameters;
    char own[32];
    struct answer answer;
    pthread_t thread;
};

#define APP_ID "423004"
#define PRIVATE_KEY "7815696ecbf1c96e6894b779456d330e"
#define SECRET_KEY "3dad9cbf9baaa0360c0f2ba372d25716"
#define SESSION_KEY "be6ef89965d58e56dec21acb9b62bdaa"
#define REDIRECT_URI "https://example.org/login"

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void *perform(void *argument) {
    struct call *call = argument;
    call->answer.json =
        mailru_call_within(call->session, call->method, call->parameters, 0, call->cancel, &call->answer.code);
    return NULL;
}

/* Whether an answer repeats the number that its call sent. */
static int repeats(const struct answer *answer, int tag) {
    char expected[32];
    snprintf(expected, sizeof expected, "\"tag\":\"%d\"", tag);
    return answer->json != NULL && strstr(answer->json, expected) != NULL;
}

static struct answer together(mailru_session session, const char *method, int calls) {
    struct call *all = calloc((size_t)calls, sizeof *all);
    struct answer outcome = {MAILRU_OK, NULL};
    for (int tag = 0; tag < calls; tag++) {
        snprintf(all[tag].own, sizeof all[tag].own, "{\"tag\":%d}", tag);
        all[tag].session = session;
        all[tag].method = method;
        all[tag].parameters = all[tag].own;
        pthread_create(&all[tag].thread, NULL, perform, &all[tag]);
    }
    for (int tag = 0; tag < calls; tag++) {
        pthread_join(all[tag].thread, NULL);
        if (all[tag].answer.code != MAILRU_OK || !repeats(&all[tag].answer, tag)) {
            outcome.code = all[tag].answer.code == MAILRU_OK ? -1 : all[tag].answer.code;
        }
        mailru_string_free(all[tag].answer.json);
    }
    free(all);
    return outcome;
}

static struct answer crowd(mailru_session session, const char *method, int calls) {
    struct answer outcome = {MAILRU_OK, NULL};
    mailru_queue queue = mailru_queue_new((uint32_t)calls, (uint32_t)calls, NULL);
    for (int tag = 0; tag < calls; tag++) {
        char parameters[32];
        snprintf(parameters, sizeof parameters, "{\"tag\":%d}", tag);
        int32_t code = mailru_queue_submit(queue, session, method, parameters, (uint64_t)tag, NULL);
        outcome.code = code == MAILRU_OK ? outcome.code : code;
    }
    for (int taken = 0; taken < calls && outcome.code == MAILRU_OK; taken++) {
        uint64_t tag;
        struct answer answer;
        answer.json = mailru_queue_next(queue, 30000, &tag, &answer.code);
        if (answer.code != MAILRU_OK || !repeats(&answer, (int)tag)) {
            outcome.code = answer.code == MAILRU_OK ? -1 : answer.code;
        }
        mailru_string_free(answer.json);
    }
    mailru_queue_free(queue);
    return outcome;
}

static void fire(struct call *call) { mailru_cancel_fire(call->cancel); }
static void end_session_calls(struct call *call) { mailru_session_cancel(call->session); }

/* Ends the call of a thread after 200 ms; the session is of use afterwards. */
static struct answer ended(struct call call, void *(*perform_it)(void *)) {
    pthread_create(&call.thread, NULL, perform_it, &call);
    sleep_ms(200);
    call.end(&call);
    pthread_join(call.thread, NULL);
    mailru_cancel_free(call.cancel);
    int32_t code;
    mailru_string_free(mailru_call(call.session, "sandbox.echo", NULL, &code));
    if (code != MAILRU_OK) {
        call.answer.code = code;
    }
    return call.answer;
}

static struct answer cancelled(mailru_session session, const char *method) {
    struct call call = {.end = fire, .session = session, .cancel = mailru_cancel_new(), .method = method};
    return ended(call, perform);
}

static struct answer session_cancelled(mailru_session session, const char *method) {
    struct call call = {.end = end_session_calls, .session = session, .method = method};
    return ended(call, perform);
}

static void *upload_file(void *argument) {
    static uint8_t file[100000];
    struct call *call = argument;
    char request[256];
    snprintf(request, sizeof request,
             "{\"method\":\"%s\",\"params\":%s,\"file\":{\"field\":\"img_file\",\"name\":\"snail.jpg\"}}", call->method,
             call->parameters == NULL ? "{}" : call->parameters);
    call->answer.json =
        mailru_request(call->session, request, file, sizeof file, call->cancel, &call->answer.code);
    return NULL;
}

static struct answer upload_cancelled(mailru_session session, const char *method) {
    struct call call = {.end = fire, .session = session, .cancel = mailru_cancel_new(), .method = method};
    return ended(call, upload_file);
}

static struct answer upload(mailru_session session, const char *method, const char *parameters) {
    struct call call = {
        .session = session, .cancel = mailru_cancel_new(), .method = method, .parameters = parameters};
    uint64_t sent, total;
    upload_file(&call);
    if (mailru_cancel_progress(call.cancel, &sent, &total) != MAILRU_OK || sent != total || total <= 100000) {
        call.answer.code = -1;
    }
    mailru_cancel_free(call.cancel);
    return call.answer;
}

static void describe(char *request, size_t size, const char *method, const char *parameters) {
    snprintf(request, size, "{\"method\":\"%s\",\"params\":%s}", method, parameters);
}

static struct answer requested(mailru_session session, const char *method, const char *parameters) {
    char request[256];
    struct answer answer;
    describe(request, sizeof request, method, parameters);
    answer.json = mailru_request(session, request, NULL, 0, 0, &answer.code);
    return answer;
}

static struct answer queued(mailru_session session, const char *method, const char *parameters) {
    char request[256];
    struct answer answer = {MAILRU_OK, NULL};
    uint64_t tag = 0;
    mailru_queue queue = mailru_queue_new(0, 0, NULL);
    describe(request, sizeof request, method, parameters);
    answer.code = mailru_queue_request(queue, session, request, NULL, 0, 0, 7, &answer.json);
    if (answer.code == MAILRU_OK) {
        answer.json = mailru_queue_next(queue, 30000, &tag, &answer.code);
    }
    mailru_queue_free(queue);
    answer.code = tag == 7 ? answer.code : -1;
    return answer;
}

static struct answer queue_cancelled(mailru_session session, const char *method) {
    struct answer answer;
    mailru_queue queue = mailru_queue_new(0, 0, NULL);
    mailru_queue_submit(queue, session, method, NULL, 7, NULL);
    sleep_ms(200);
    mailru_queue_cancel(queue, 7);
    answer.json = mailru_queue_next(queue, 30000, NULL, &answer.code);
    mailru_queue_free(queue);
    return answer;
}

static struct answer in_turn(mailru_session session, const char *method, int calls) {
    struct answer answer = {MAILRU_OK, NULL};
    for (int call = 0; call < calls && answer.code == MAILRU_OK; call++) {
        mailru_string_free(mailru_call(session, method, NULL, &answer.code));
    }
    return answer;
}

static struct answer failed(mailru_session session, const char *method) {
    struct answer answer;
    int32_t code;
    answer.json = mailru_call(session, method, NULL, &answer.code);
    char *message = mailru_error_message(answer.json, &code);
    if (mailru_error_number(answer.json) != 2 || mailru_error_transient(answer.json) != 0 || code != MAILRU_OK ||
        strlen(message) == 0) {
        answer.code = -1;
    }
    mailru_string_free(message);
    return answer;
}

struct lines {
    char wanted[64];
    int found, leaked;
};

static void read_line(void *user_data, int32_t level, const char *line) {
    struct lines *lines = user_data;
    (void)level;
    lines->found |= strstr(line, "event=answer") != NULL && strstr(line, lines->wanted) != NULL;
    lines->leaked |= strstr(line, SESSION_KEY) != NULL;
}

static struct answer logged(mailru_session session, const char *method) {
    struct lines lines = {"", 0, 0};
    struct answer answer;
    snprintf(lines.wanted, sizeof lines.wanted, "method=%s", method);
    mailru_set_log(read_line, &lines, NULL, 4);
    answer.json = mailru_call(session, method, NULL, &answer.code);
    mailru_set_log(NULL, NULL, NULL, 0);
    answer.code = lines.found && !lines.leaked ? answer.code : -1;
    return answer;
}

/* A plain string member of a JSON object, to be freed. A program has a JSON library for it. */
static char *member(const char *json, const char *name) {
    char start[64];
    snprintf(start, sizeof start, "\"%s\":\"", name);
    const char *value = strstr(json, start);
    value = value == NULL ? "" : value + strlen(start);
    size_t length = strcspn(value, "\"");
    char *copy = calloc(length + 1, 1);
    return memcpy(copy, value, length);
}

/* A call with the tokens of an earlier session, which that session is given once more. */
static struct answer restarted(const char *tokens, const char *options, const char *method) {
    struct answer answer = {MAILRU_OK, NULL};
    mailru_session session =
        mailru_stored_session_new(APP_ID, PRIVATE_KEY, NULL, tokens, options, &answer.json);
    if (session == 0) {
        answer.code = MAILRU_INVALID_ARGUMENT;
        return answer;
    }
    if (tokens != NULL) {
        answer.code = mailru_session_set_tokens(session, tokens, &answer.json);
    }
    if (answer.code == MAILRU_OK) {
        answer.json = mailru_call(session, method, NULL, &answer.code);
    }
    mailru_session_free(session);
    return answer;
}

static struct answer log_in(const char *options, const char *method, const char *redirect) {
    struct answer answer;
    answer.json = mailru_authorize_url(APP_ID, REDIRECT_URI, NULL, NULL, "case-state", &answer.code);
    if (answer.code != MAILRU_OK || strstr(answer.json, "state=case-state") == NULL) {
        return answer;
    }
    mailru_string_free(answer.json);
    answer.json = mailru_parse_redirect(redirect, "case-state", &answer.code);
    if (answer.code != MAILRU_OK) {
        return answer;
    }
    char *code = member(answer.json, "code");
    mailru_string_free(answer.json);
    mailru_session session =
        mailru_code_client_session_new(APP_ID, PRIVATE_KEY, code, REDIRECT_URI, options, &answer.json);
    free(code);
    answer.json = mailru_authorize(session, &answer.code);
    if (answer.code == MAILRU_OK) {
        mailru_string_free(answer.json);
        char *tokens = mailru_tokens(session, &answer.code);
        mailru_session_free(session);
        answer = restarted(tokens, options, method);
        mailru_string_free(tokens);
    }
    return answer;
}

static struct answer through_file(mailru_session session, const char *options, const char *method) {
    struct answer answer;
    answer.json = mailru_call(session, method, NULL, &answer.code);
    mailru_session_free(session);
    if (answer.code == MAILRU_OK) {
        mailru_string_free(answer.json);
        answer = restarted(NULL, options, method);
    }
    return answer;
}

struct told {
    int times;
    char *tokens[2];
    int32_t phases[2], phase_count;
};

static void remember(void *user_data, const char *tokens_json) {
    struct told *told = user_data;
    if (told->times < 2) {
        told->tokens[told->times] = strdup(tokens_json);
    }
    told->times++;
}

static void count_phase(void *user_data, int32_t phase) {
    struct told *told = user_data;
    if (told->phase_count < 2) {
        told->phases[told->phase_count] = phase;
    }
    told->phase_count++;
}

static struct answer renewal(mailru_session session, const char *method) {
    struct told told = {0, {NULL, NULL}, {-1, -1}, 0};
    struct answer answer;
    mailru_session_on_token(session, remember, &told, NULL);
    mailru_session_on_renewal(session, count_phase, &told, NULL);
    mailru_string_free(mailru_call(session, "sandbox.echo", NULL, NULL));
    answer.json = mailru_call(session, method, NULL, &answer.code);
    mailru_session_on_token(session, NULL, NULL, NULL);
    mailru_session_on_renewal(session, NULL, NULL, NULL);
    char *now = mailru_tokens(session, NULL);
    if (told.times != 2 || strcmp(told.tokens[0], told.tokens[1]) == 0 || strcmp(told.tokens[1], now) != 0 ||
        told.phase_count != 2 || told.phases[0] != 1 || told.phases[1] != 0) {
        answer.code = -1;
    }
    mailru_string_free(now);
    free(told.tokens[0]);
    free(told.tokens[1]);
    return answer;
}
