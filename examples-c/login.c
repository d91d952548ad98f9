/*
 * Adds to the threads: a user logs in with a browser, and the program keeps the tokens that it is given.
 *
 *     login FILE      FILE is where the tokens are stored
 *
 * It prints the address to open and reads the address to which the browser was sent. From then on each line of
 * input (press Enter) is a call as that user, until the input ends. A token that has expired meanwhile is
 * renewed within the call; the callback stores the new tokens before any of them is used.
 *
 * After a restart the stored text goes into mailru_stored_session_new.
 * With MAILRU_SANDBOX in the environment, that server's login page takes the place of the real one.
 */
#ifdef _WIN32
#define _CRT_RAND_S
#include "demo.h"
#include <io.h>
#include <windows.h>
#else
#define _POSIX_C_SOURCE 200112L
#include "demo.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where the platform sends the browser: an address of the application's site. */
static const char REDIRECT_URI[] = "https://example.org/mailru/login";

enum { TEXT = 2048 };

/* Copies a plain string member of a JSON object: enough for addresses and codes. Use a JSON library for more. */
static bool member(const char *json, const char *name, char *text, size_t size) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *value = strstr(json, key);
    if (value == NULL) return false;
    value += strlen(key);
    size_t length = strcspn(value, "\"");
    if (value[length] == '\0' || length >= size) return false;
    memcpy(text, value, length);
    text[length] = '\0';
    return true;
}

/* Prints an outcome that is not a success, and releases any; whether it was one. */
static bool succeeded(char *json, int32_t code) {
    if (code != MAILRU_OK) fprintf(stderr, "%s: %s\n", mailru_code_name(code), json);
    mailru_string_free(json);
    return code == MAILRU_OK;
}

/* A line of input without its end. */
static bool read_line(char *line, size_t size) {
    if (fgets(line, (int)size, stdin) == NULL) return false;
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

/* What the systems do differently: bytes that nobody can guess, a file for its owner alone, and its way to the disk
   and into another's place. */
#ifdef _WIN32
static bool random_bytes(unsigned char *bytes, size_t size) {
    unsigned number;
    for (size_t i = 0; i < size; i++) {
        if (rand_s(&number) != 0) return false;
        bytes[i] = (unsigned char)number;
    }
    return true;
}

/* The folder decides who may read it: in the user's profile it is the user. */
static FILE *create(const char *file) { return fopen(file, "wb"); }
static bool save(FILE *stream) { return fflush(stream) == 0 && _commit(_fileno(stream)) == 0; }
static bool replace(const char *file, const char *by) { return MoveFileExA(by, file, MOVEFILE_REPLACE_EXISTING); }
#else
static bool random_bytes(unsigned char *bytes, size_t size) {
    FILE *random = fopen("/dev/urandom", "rb");
    bool fine = random != NULL && fread(bytes, size, 1, random) == 1;
    if (random != NULL) fclose(random);
    return fine;
}

static FILE *create(const char *file) {
    int descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, S_IRUSR | S_IWUSR);
    return descriptor < 0 ? NULL : fdopen(descriptor, "wb");
}
static bool save(FILE *stream) { return fflush(stream) == 0 && fsync(fileno(stream)) == 0; }
static bool replace(const char *file, const char *by) { return rename(by, file) == 0; }
#endif

/* A redirect that brings this state belongs to the login begun here. */
static bool make_state(char *state) {
    unsigned char bytes[16];
    bool fine = random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; fine && i < sizeof bytes; i++) sprintf(state + 2 * i, "%02x", bytes[i]);
    return fine;
}

/* The token callback, on a thread of the library's: a file that is there whole or not at all, for us alone. */
static void store(void *user_data, const char *tokens_json) {
    const char *file = user_data;
    char fresh[TEXT];
    snprintf(fresh, sizeof fresh, "%s.new", file);
    FILE *stream = create(fresh);
    bool written = stream != NULL && fputs(tokens_json, stream) >= 0 && save(stream);
    if (stream != NULL) fclose(stream);
    if (written && replace(file, fresh)) {
        printf("new tokens are stored in %s\n", file);
    } else {
        perror(fresh);
    }
}

/* Has the user log in; the code that the redirect brought. */
static bool log_in(char *login_code) {
    char state[33], url[TEXT], line[TEXT];
    if (!make_state(state)) return false;
    int32_t code;
    /* NULL, without a sandbox, is the platform's own page. */
    const char *sandbox = demo("MAILRU_SANDBOX", NULL);
    char page[TEXT];
    snprintf(page, sizeof page, "%s/oauth/authorize", sandbox != NULL ? sandbox : "");
    char *json = mailru_authorize_url_at(sandbox != NULL ? page : NULL, APP_ID, REDIRECT_URI, NULL, "messages", state,
                                         &code);
    bool found = code == MAILRU_OK && member(json, "url", url, sizeof url);
    if (!succeeded(json, code) || !found) return false;

    printf("Open this address in a browser:\n%s\n", url);
    printf("Then paste the address to which the browser was sent:\n");
    if (!read_line(line, sizeof line)) return false;

    json = mailru_parse_redirect(line, state, &code);
    found = code == MAILRU_OK && member(json, "code", login_code, TEXT);
    return succeeded(json, code) && found;
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: login FILE\n");
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IONBF, 0); /* lines come out at once, also into a pipe */
    char login_code[TEXT];
    if (!log_in(login_code)) return EXIT_FAILURE;

    char *error;
    mailru_session session =
        mailru_code_session_new(APP_ID, PRIVATE_KEY, SECRET_KEY, login_code, REDIRECT_URI, OPTIONS, &error);
    if (session == 0) {
        fprintf(stderr, "no session: %s\n", error);
        mailru_string_free(error);
        return EXIT_FAILURE;
    }
    mailru_session_on_token(session, store, arguments[1], NULL);

    bool fine = true;
    char line[TEXT];
    do {
        /* The first call trades the code for tokens; a later one may find them expired and renews them. */
        int32_t code;
        char *json = mailru_call(session, "messages.getUnreadCount", NULL, &code);
        if (code == MAILRU_OK) printf("unread messages: %s\n", json);
        fine = succeeded(json, code);
        if (fine) printf("Press Enter to look again, Ctrl-D to end.\n");
    } while (fine && read_line(line, sizeof line));
    mailru_session_free(session);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
