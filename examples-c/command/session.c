/* The session for the keys and tokens that there are. */
#include "command.h"

#include <unistd.h>

static mailru_session made(mailru_session session, char *error, int *status) {
    if (session == 0) *status = finish(error, (int32_t)-mailru_error_number(error), NULL);
    return session;
}

/* Where no token is given, the one that `login` left. */
static void use_default_token_file(void) {
    char **keys = settings.keys;
    if (keys[ACCESS_TOKEN] != NULL || keys[REFRESH_TOKEN] != NULL || keys[EMAIL] != NULL || keys[TOKEN_FILE] != NULL) {
        return;
    }
    const char *file = settings.sandbox == NULL ? default_token_file() : NULL;
    if (file != NULL && access(file, R_OK) == 0) keys[TOKEN_FILE] = copy_of(file);
}

mailru_session open_session(enum purpose purpose, int *status) {
    char **keys = settings.keys, *error = NULL;
    if (purpose == FOR_CALLS && keys[APP_ID] == NULL) {
        *status = missing(APP_ID);
        return 0;
    }
    if (purpose == FOR_CALLS) use_default_token_file();
    struct text options = {0};
    session_options(&options);
    bool is_server = settings.circuit != NULL && *settings.circuit == 's';
    bool is_client = settings.circuit != NULL && *settings.circuit == 'c';
    const char *private_key = is_server ? NULL : keys[PRIVATE_KEY], *secret_key = is_client ? NULL : keys[SECRET_KEY];
    mailru_session session = 0;
    if (purpose == FOR_PUBLIC_PAGES) {
        session = mailru_public_session_new(options.bytes, &error);
    } else if (keys[ACCESS_TOKEN] != NULL) {
        session = mailru_token_session_new(keys[APP_ID], private_key, secret_key, keys[ACCESS_TOKEN], keys[USER_ID],
                                           options.bytes, &error);
    } else if (keys[REFRESH_TOKEN] != NULL) {
        session = mailru_refresh_session_new(keys[APP_ID], private_key, secret_key, keys[REFRESH_TOKEN],
                                             options.bytes, &error);
    } else if (keys[EMAIL] != NULL && keys[PASSWORD] != NULL) {
        session = mailru_password_session_new(keys[APP_ID], private_key, secret_key, keys[EMAIL], keys[PASSWORD],
                                              settings.scope, options.bytes, &error);
    } else if (keys[TOKEN_FILE] != NULL) {
        session = mailru_stored_session_new(keys[APP_ID], private_key, secret_key, "", options.bytes, &error);
    } else if (is_server && keys[SECRET_KEY] != NULL) {
        /* The application's server may act without a token: for the user whom the parameter uid names. */
        session = mailru_server_session_new(keys[APP_ID], keys[SECRET_KEY], "", options.bytes, &error);
    } else {
        forget(&options);
        *status = complain("there is no token: run mailru login, or give --access-token, --refresh-token, --token-file "
                           "or --email with a password");
        return 0;
    }
    forget(&options);
    return made(session, error, status);
}
