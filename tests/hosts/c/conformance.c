/* The cases of cases.tsv in C, which needs no wrapper: threads are POSIX's. */
#define _POSIX_C_SOURCE 200809L
#include <mailru.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAME, ACTION, CIRCUIT, OPTIONS, METHOD, PARAMETERS, CODE, CONTAINS, COLUMNS };

struct answer {
    int32_t code;
    char *json; /* the library's; NULL if there is none */
};

struct call {
    mailru_session session;
    mailru_cancel cancel;
    const char *method;
    const char *parameters;
    char own[32];
    struct answer answer;
    pthread_t thread;
};

static const char *given(const char *text) { return strcmp(text, "-") == 0 ? NULL : text; }

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static mailru_session make_session(char **columns, struct answer *failure) {
    const char *options = given(columns[OPTIONS]);
    mailru_session session;
    if (strcmp(columns[CIRCUIT], "client") == 0) {
        session = mailru_client_session_new("423004", "7815696ecbf1c96e6894b779456d330e",
                                            "be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817", options,
                                            &failure->json);
    } else if (strcmp(columns[CIRCUIT], "server") == 0) {
        session = mailru_server_session_new("423004", "3dad9cbf9baaa0360c0f2ba372d25716",
                                            "be6ef89965d58e56dec21acb9b62bdaa", options, &failure->json);
    } else {
        session = mailru_password_client_session_new("423004", "7815696ecbf1c96e6894b779456d330e", "demo@mail.ru",
                                                     "demo", NULL, options, &failure->json);
    }
    /* The constructors' only refusal in these cases. */
    failure->code = session == 0 ? MAILRU_INVALID_ARGUMENT : MAILRU_OK;
    return session;
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

static struct answer cancelled(mailru_session session, const char *method) {
    struct call call = {.session = session, .cancel = mailru_cancel_new(), .method = method};
    pthread_create(&call.thread, NULL, perform, &call);
    sleep_ms(200);
    mailru_cancel_fire(call.cancel);
    pthread_join(call.thread, NULL);
    mailru_cancel_free(call.cancel);
    int32_t code;
    mailru_string_free(mailru_call(session, "sandbox.echo", NULL, &code));
    if (code != MAILRU_OK) {
        call.answer.code = code;
    }
    return call.answer;
}

struct told {
    int times;
    char *tokens[2];
};

static void remember(void *user_data, const char *tokens_json) {
    struct told *told = user_data;
    if (told->times < 2) {
        told->tokens[told->times] = strdup(tokens_json);
    }
    told->times++;
}

static struct answer renewal(mailru_session session, const char *method) {
    struct told told = {0, {NULL, NULL}};
    struct answer answer;
    mailru_session_on_token(session, remember, &told, NULL);
    mailru_string_free(mailru_call(session, "sandbox.echo", NULL, NULL));
    answer.json = mailru_call(session, method, NULL, &answer.code);
    mailru_session_on_token(session, NULL, NULL, NULL);
    char *now = mailru_tokens(session, NULL);
    if (told.times != 2 || strcmp(told.tokens[0], told.tokens[1]) == 0 || strcmp(told.tokens[1], now) != 0) {
        answer.code = -1;
    }
    mailru_string_free(now);
    free(told.tokens[0]);
    free(told.tokens[1]);
    return answer;
}

static struct answer act(char **columns) {
    const char *action = columns[ACTION], *method = columns[METHOD], *parameters = given(columns[PARAMETERS]);
    struct answer answer = {MAILRU_OK, NULL};
    mailru_session session = make_session(columns, &answer);
    if (session == 0) {
        return answer;
    }
    if (strcmp(action, "call") == 0) {
        answer.json = mailru_call(session, method, parameters, &answer.code);
    } else if (strcmp(action, "sign") == 0) {
        answer.json = mailru_sign(session, method, parameters, &answer.code);
    } else if (strcmp(action, "together") == 0) {
        answer = together(session, method, atoi(parameters));
    } else if (strcmp(action, "crowd") == 0) {
        answer = crowd(session, method, atoi(parameters));
    } else if (strcmp(action, "deadline") == 0) {
        answer.json = mailru_call_within(session, method, parameters, 300, 0, &answer.code);
    } else if (strcmp(action, "cancel") == 0) {
        answer = cancelled(session, method);
    } else if (strcmp(action, "stale") == 0) {
        mailru_session_free(session);
        answer.json = mailru_call(session, method, parameters, &answer.code);
    } else if (strcmp(action, "renewal") == 0) {
        answer = renewal(session, method);
    } else {
        answer.code = -1;
    }
    mailru_session_free(session);
    return answer;
}

int main(void) {
    FILE *file = fopen(getenv("MAILRU_CASES"), "r");
    char line[4096];
    if (file == NULL) {
        perror("MAILRU_CASES");
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *columns[COLUMNS] = {NULL}, *rest = NULL;
        int count = 0;
        if (line[0] == '#') {
            continue;
        }
        for (char *column = strtok_r(line, "\t\n", &rest); column != NULL && count < COLUMNS;
             column = strtok_r(NULL, "\t\n", &rest)) {
            columns[count++] = column;
        }
        struct answer answer = act(columns);
        const char *contains = given(columns[CONTAINS]), *name = mailru_code_name(answer.code);
        const char *json = answer.json == NULL ? "" : answer.json;
        if (strcmp(name, columns[CODE]) == 0 && (contains == NULL || strstr(json, contains) != NULL)) {
            printf("ok %s\n", columns[NAME]);
        } else {
            printf("FAIL %s %s %s\n", columns[NAME], name, json);
        }
        mailru_string_free(answer.json);
    }
    fclose(file);
    return EXIT_SUCCESS;
}
