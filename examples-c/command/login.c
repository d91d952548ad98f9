/* The command login: with a browser, or by e-mail and password; the tokens go into a file. */
#include "command.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* The platform's own page for programs without a site. */
static const char REDIRECT[] = "http://connect.mail.ru/oauth/success.html";

/* A redirect that brings this state belongs to the login begun here. */
static bool make_state(char state[33]) {
    unsigned char bytes[16];
    int random = open("/dev/urandom", O_RDONLY);
    bool fine = random >= 0 && read(random, bytes, sizeof bytes) == (ssize_t)sizeof bytes;
    if (random >= 0) close(random);
    for (size_t i = 0; fine && i < sizeof bytes; i++) sprintf(state + 2 * i, "%02x", bytes[i]);
    return fine;
}

static struct termios usual;

/* Whoever interrupts the input of a password gets the terminal back as it was. */
static void interrupted(int number) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
    signal(number, SIG_DFL);
    raise(number);
}

/* A line of the input without its end; at a terminal it is shown or not. */
static bool read_line(struct text *line, bool shown) {
    bool is_terminal = !shown && tcgetattr(STDIN_FILENO, &usual) == 0;
    if (is_terminal) {
        struct termios silent = usual;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        signal(SIGINT, interrupted);
        signal(SIGTERM, interrupted);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    int byte;
    add(line, "");
    while ((byte = getchar()) != EOF && byte != '\n') {
        if (byte != '\r') add_bytes(line, (const char[]){(char)byte}, 1);
    }
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        fputc('\n', stderr);
    }
    return line->size > 0;
}

/* Names the file and makes its folder; tokens of an earlier login are replaced only if that is asked for. */
static int prepare_file(void) {
    if (settings.keys[TOKEN_FILE] == NULL) {
        const char *file = settings.sandbox == NULL ? default_token_file() : NULL;
        if (file == NULL) return complain("login needs --token-file FILE, which will hold the tokens");
        settings.keys[TOKEN_FILE] = copy_of(file);
        for (char *slash = strchr(file + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            mkdir(file, 0700);
            *slash = '/';
        }
    }
    const char *file = settings.keys[TOKEN_FILE];
    struct stat facts;
    if (stat(file, &facts) != 0 || facts.st_size == 0) return DONE;
    if (!settings.force) return complain("%s holds the tokens of a login already; --force replaces them", file);
    return unlink(file) == 0 ? DONE : complain("%s: cannot be removed", file);
}

/* Has the user open the address and bring back the one to which the browser was sent: {"code"}, or tokens. */
static char *ask_browser(const char *redirect, int *status) {
    char state[33];
    struct text page = {0}, url = {0}, line = {0};
    if (!make_state(state)) {
        *status = complain("/dev/urandom cannot be read");
        return NULL;
    }
    if (settings.sandbox != NULL) {
        add(&page, settings.sandbox);
        add(&page, "/oauth/authorize");
    }
    int32_t code;
    char *json = mailru_authorize_url_at(page.bytes, settings.keys[APP_ID], redirect, settings.response_type,
                                         settings.scope, state, &code);
    char *brought = NULL;
    if (code != MAILRU_OK || !member(json, "url", &url)) {
        *status = finish(json, code, NULL);
        json = NULL;
    } else {
        fprintf(stderr, "Open this address in a browser and let the application in:\n\n");
        printf("%s\n", url.bytes);
        fflush(stdout);
        fprintf(stderr, "\nThen paste the address to which the browser was sent:\n");
        if (!read_line(&line, true)) {
            *status = complain("no address was given");
        } else {
            brought = mailru_parse_redirect(line.bytes, state, &code);
            if (code != MAILRU_OK) {
                *status = finish(brought, code, NULL);
                brought = NULL;
            }
        }
    }
    mailru_string_free(json);
    forget(&line);
    forget(&url);
    forget(&page);
    return brought;
}

/* A session for what the browser brought. */
static mailru_session session_for(const char *brought, const char *redirect, int *status) {
    char **keys = settings.keys, *error = NULL;
    struct text options = {0}, code = {0};
    session_options(&options);
    bool is_server = settings.circuit != NULL && *settings.circuit == 's';
    bool is_client = settings.circuit != NULL && *settings.circuit == 'c';
    const char *private_key = is_server ? NULL : keys[PRIVATE_KEY], *secret_key = is_client ? NULL : keys[SECRET_KEY];
    mailru_session session =
        member(brought, "code", &code)
            ? mailru_code_session_new(keys[APP_ID], private_key, secret_key, code.bytes, redirect, options.bytes, &error)
            : mailru_stored_session_new(keys[APP_ID], private_key, secret_key, brought, options.bytes, &error);
    if (session == 0) *status = finish(error, (int32_t)-mailru_error_number(error), NULL);
    forget(&code);
    forget(&options);
    return session;
}

static mailru_session by_browser(int *status) {
    const char *redirect = settings.redirect != NULL ? settings.redirect : REDIRECT;
    char *brought = ask_browser(redirect, status);
    mailru_session session = brought != NULL ? session_for(brought, redirect, status) : 0;
    mailru_string_free(brought);
    return session;
}

static mailru_session by_password(int *status) {
    if (settings.keys[PASSWORD] == NULL) {
        struct text password = {0};
        fprintf(stderr, "Password of %s: ", settings.keys[EMAIL]);
        read_line(&password, false);
        settings.keys[PASSWORD] = password.bytes;
    }
    return open_session(FOR_CALLS, status);
}

int login(char **arguments) {
    if (*arguments != NULL) return complain("login takes no argument");
    /* What logs in is the user, and no token that is there already. */
    settings.keys[ACCESS_TOKEN] = settings.keys[REFRESH_TOKEN] = NULL;
    if (settings.keys[APP_ID] == NULL) return missing(APP_ID);
    if (settings.keys[PRIVATE_KEY] == NULL && settings.keys[SECRET_KEY] == NULL) return missing(PRIVATE_KEY);
    int status = prepare_file();
    if (status != DONE) return status;
    mailru_session session = settings.keys[EMAIL] != NULL ? by_password(&status) : by_browser(&status);
    if (session == 0) return status;
    int32_t code;
    /* Tokens that the browser brought are stored by now; a code or a password is traded for some. */
    char *json = mailru_tokens(session, &code);
    struct text token = {0}, uid = {0};
    if (!member(json, "access_token", &token) || token.size == 0) {
        mailru_string_free(json);
        json = mailru_authorize(session, &code);
    }
    if (code == MAILRU_OK && !settings.json) {
        if (member(json, "uid", &uid)) fprintf(stderr, "Logged in as %s. ", uid.bytes);
        fprintf(stderr, "The tokens are in %s.\n", settings.keys[TOKEN_FILE]);
        mailru_string_free(json);
    } else {
        status = finish(json, code, NULL);
    }
    forget(&token);
    forget(&uid);
    mailru_session_free(session);
    return status;
}
