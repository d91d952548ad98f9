/* The cases of cases.tsv in C, which needs no wrapper: threads are POSIX's. */
#define _POSIX_C_SOURCE 200809L
#include "actions.h"

enum { NAME, ACTION, CIRCUIT, OPTIONS, METHOD, PARAMETERS, CODE, CONTAINS, COLUMNS };

static const char *given(const char *text) { return strcmp(text, "-") == 0 ? NULL : text; }

static mailru_session make_session(char **columns, struct answer *failure) {
    const char *options = given(columns[OPTIONS]);
    mailru_session session;
    if (strcmp(columns[CIRCUIT], "client") == 0) {
        session = mailru_client_session_new(APP_ID, PRIVATE_KEY, SESSION_KEY, "1324730981306483817", options,
                                            &failure->json);
    } else if (strcmp(columns[CIRCUIT], "server") == 0) {
        session = mailru_server_session_new(APP_ID, SECRET_KEY, SESSION_KEY, options, &failure->json);
    } else {
        session = mailru_password_client_session_new(APP_ID, PRIVATE_KEY, "demo@mail.ru", "demo", NULL, options,
                                                     &failure->json);
    }
    /* The constructors' only refusal in these cases. */
    failure->code = session == 0 ? MAILRU_INVALID_ARGUMENT : MAILRU_OK;
    return session;
}

/* What needs no session. */
static struct answer act_alone(char **columns) {
    const char *action = columns[ACTION], *parameters = given(columns[PARAMETERS]);
    struct answer answer = {-1, NULL};
    if (strcmp(action, "methods") == 0) {
        answer.json = mailru_methods(&answer.code);
    } else if (strcmp(action, "errors") == 0) {
        answer.json = mailru_errors(&answer.code);
    } else if (strcmp(action, "verify") == 0) {
        answer.json = mailru_verify_query(columns[METHOD], SECRET_KEY, parameters, &answer.code);
    } else if (strcmp(action, "payment") == 0) {
        answer.json = mailru_verify(SECRET_KEY, parameters, &answer.code);
    } else if (strcmp(action, "launch") == 0) {
        answer.json = mailru_verify_launch(SECRET_KEY, parameters, &answer.code);
    } else if (strcmp(action, "redirect") == 0) {
        answer.json = mailru_parse_redirect(parameters, "case-state", &answer.code);
    } else if (strcmp(action, "login") == 0) {
        answer = log_in(given(columns[OPTIONS]), columns[METHOD], parameters);
    }
    return answer;
}

static struct answer act(char **columns) {
    const char *action = columns[ACTION], *method = columns[METHOD], *parameters = given(columns[PARAMETERS]);
    struct answer answer = {MAILRU_OK, NULL};
    if (given(columns[CIRCUIT]) == NULL) {
        return act_alone(columns);
    }
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
    } else if (strcmp(action, "request") == 0) {
        answer = requested(session, method, parameters);
    } else if (strcmp(action, "queued") == 0) {
        answer = queued(session, method, parameters);
    } else if (strcmp(action, "queue-cancel") == 0) {
        answer = queue_cancelled(session, method);
    } else if (strcmp(action, "session-cancel") == 0) {
        answer = session_cancelled(session, method);
    } else if (strcmp(action, "upload") == 0) {
        answer = upload(session, method, parameters);
    } else if (strcmp(action, "upload-cancel") == 0) {
        answer = upload_cancelled(session, method);
    } else if (strcmp(action, "public") == 0) {
        answer.json = mailru_public(session, method, parameters, &answer.code);
    } else if (strcmp(action, "rate") == 0) {
        answer = in_turn(session, method, atoi(parameters));
    } else if (strcmp(action, "error") == 0) {
        answer = failed(session, method);
    } else if (strcmp(action, "log") == 0) {
        answer = logged(session, method);
    } else if (strcmp(action, "stats") == 0) {
        mailru_string_free(mailru_call(session, method, NULL, NULL));
        mailru_string_free(mailru_call(session, method, NULL, NULL));
        answer.json = mailru_stats(session, &answer.code);
    } else if (strcmp(action, "token-file") == 0) {
        answer = through_file(session, columns[OPTIONS], method);
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
