/*
 * The first call: a session, one call, its error, and what is released.
 *
 *     make -C examples-c run      calls a platform on this machine
 *     MAILRU_OPTIONS unset        calls the real one
 */
#include <mailru.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    char *error;
    /* The application and user of the platform's guide. NULL options stand for the real platform. */
    mailru_session session = mailru_client_session_new(
        "423004", "7815696ecbf1c96e6894b779456d330e", /* app_id, private_key */
        "be6ef89965d58e56dec21acb9b62bdaa",           /* access_token, which calls send as session_key */
        "1324730981306483817", getenv("MAILRU_OPTIONS"), &error);
    if (session == 0) {
        fprintf(stderr, "no session: %s\n", error);
        mailru_string_free(error);
        return EXIT_FAILURE;
    }

    int32_t code;
    char *json = mailru_call(session, "friends.get", "{\"ext\":1}", &code);
    if (code == MAILRU_OK) {
        printf("%s\n", json); /* the platform's own JSON, for the JSON library of your choice */
    } else {
        fprintf(stderr, "%s: %s\n", mailru_code_name(code), json);
    }
    mailru_string_free(json); /* an answer and an error alike */
    mailru_session_free(session);
    return code == MAILRU_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
