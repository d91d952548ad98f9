/*
 * Adds to the quickstart: each kind of failure, how its code is read, and who can do something about it.
 *
 * A failure brings a code and one JSON object, {"error":{"error_code":N,"error_msg":"..."}}. The number N is the
 * platform's own with MAILRU_API_ERROR, else minus the code. Codes below 10 are the program's to mend, 10 to 19
 * come from the server's answer, 20 to 29 from the network. No JSON parser is needed for the number, the text, and
 * whether the same call may succeed later: there are mailru_error_number, mailru_error_message and
 * mailru_error_transient.
 */
#include "demo.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *who_can_act(int32_t code) {
    if (code == MAILRU_OK) return "nobody needs to act";
    if (code < 10) return "the program can act";
    if (code < 20) return "the server's answer tells more";
    if (code < 30) return "the network's owner can act";
    return "see the header";
}

/* Shows an outcome and releases it; whether its code is the one expected. */
static bool shown(const char *what, int32_t code, char *json, int32_t expected) {
    printf("%s\n    %d %s: %s\n    %s\n", what, (int)code, mailru_code_name(code), who_can_act(code), json);
    int32_t told;
    char *message = mailru_error_message(json, &told);
    if (told == MAILRU_OK) {
        printf("    number %lld, \"%s\"%s\n", (long long)mailru_error_number(json), message,
               mailru_error_transient(json) ? ", and the same call may succeed later" : "");
    }
    mailru_string_free(message);
    mailru_string_free(json);
    return code == expected;
}

/* The demo's options and one more: with a JSON library, a member of an object; here, text. */
static void with_pass_error(char *options, size_t size) {
    const char *others = OPTIONS;
    if (others != NULL) {
        snprintf(options, size, "{\"pass_error\":true,%s", strchr(others, '{') + 1);
    } else {
        snprintf(options, size, "{\"pass_error\":true}");
    }
}

int main(void) {
    bool fine = true;
    int32_t code;
    char *json;

    /* A constructor has no code: it returns 0 and an error object, whose error_code is minus the code. */
    char *error;
    mailru_session none = mailru_public_session_new("{\"time_limit\":5}", &error);
    printf("an option that does not exist\n    %s\n", error);
    fine &= none == 0 && error != NULL;
    mailru_string_free(error);

    mailru_session session = mailru_client_session_new(APP_ID, PRIVATE_KEY, ACCESS_TOKEN, USER_ID, OPTIONS, &error);
    if (session == 0) {
        fprintf(stderr, "no session: %s\n", error);
        mailru_string_free(error);
        return EXIT_FAILURE;
    }

    /* "argument" names what was wrong; nothing was sent. */
    json = mailru_call(session, "friends.get", "{\"ext\":", &code);
    fine &= shown("parameters that are not JSON", code, json, MAILRU_INVALID_ARGUMENT);
    json = mailru_call(session, "friends.get", "{\"sig\":\"0\"}", &code);
    fine &= shown("a parameter that the library sets itself", code, json, MAILRU_INVALID_ARGUMENT);

    /* The platform's own object, byte for byte, with its own numbers: 2 is an unknown method. */
    json = mailru_call(session, "friends.getEnemies", NULL, &code);
    fine &= shown("a method that the platform does not know", code, json, MAILRU_API_ERROR);

    /* Nobody listens on port 1: "transient" is true, the same call may work later. */
    mailru_session lost = mailru_client_session_new(APP_ID, PRIVATE_KEY, ACCESS_TOKEN, USER_ID,
                                                    "{\"api_url\":\"http://127.0.0.1:1/\",\"retries\":0}", NULL);
    json = mailru_call(lost, "friends.get", NULL, &code);
    fine &= shown("a server that is not there", code, json, MAILRU_NETWORK_ERROR);
    mailru_session_free(lost);

    /* A handle is a number: a stale one is an error, never a crash, and freeing twice is harmless. */
    json = mailru_call(lost, "friends.get", NULL, &code);
    fine &= shown("a session that was freed", code, json, MAILRU_INVALID_HANDLE);
    mailru_session_free(lost);
    mailru_session_free(session);

    /* What is to be done about each of the platform's numbers. */
    json = mailru_errors(&code);
    fine &= code == MAILRU_OK;
    printf("the platform's errors: %.*s...\n", 120, json);
    mailru_string_free(json);

    /* For programs that read the platform's errors themselves: with pass_error they come as MAILRU_OK. */
    char options[1024];
    with_pass_error(options, sizeof options);
    session = mailru_client_session_new(APP_ID, PRIVATE_KEY, ACCESS_TOKEN, USER_ID, options, NULL);
    json = mailru_call(session, "friends.getEnemies", NULL, &code);
    fine &= shown("the same unknown method, with pass_error", code, json, MAILRU_OK);
    mailru_session_free(session);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
