/* Commands that ask the platform: call, public, upload, tokens. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The command that explains the signature of a call, for its user to copy. */
static char *sign_command(char **arguments) {
    struct text text = {0};
    add(&text, settings.sandbox != NULL ? "mailru --sandbox sign" : "mailru sign");
    for (; *arguments != NULL; arguments++) {
        bool is_plain = strcspn(*arguments, " \t\n\"'\\$&|;<>(){}[]*?!`~#") == strlen(*arguments);
        add(&text, is_plain ? " " : " '");
        add(&text, *arguments);
        add(&text, is_plain ? "" : "'");
    }
    return text.bytes;
}

int call(char **arguments) {
    if (*arguments == NULL) return complain("call needs a method, such as friends.get; mailru methods lists them");
    struct text params = {0};
    int status = read_params(arguments + 1, &params);
    mailru_session session = status == DONE ? open_session(FOR_CALLS, &status) : 0;
    if (session != 0) {
        int32_t code;
        char *json = mailru_call(session, *arguments, params.bytes, &code);
        char *retry = sign_command(arguments);
        status = finish(json, code, retry);
        free(retry);
        mailru_session_free(session);
    }
    forget(&params);
    return status;
}

int public_page(char **arguments) {
    if (*arguments == NULL) return complain("public needs a path, such as mail/nick");
    struct text params = {0};
    int status = read_params(arguments + 1, &params);
    mailru_session session = status == DONE ? open_session(FOR_PUBLIC_PAGES, &status) : 0;
    if (session != 0) {
        int32_t code;
        char *json = mailru_public(session, *arguments, params.bytes, &code);
        status = finish(json, code, NULL);
        mailru_session_free(session);
    }
    forget(&params);
    return status;
}

static void draw_bar(const char *name, uint64_t sent, uint64_t total) {
    enum { WIDTH = 30 };
    int filled = total == 0 ? 0 : (int)(sent * WIDTH / total), percent = total == 0 ? 0 : (int)(sent * 100 / total);
    fprintf(stderr, "\r%s [%.*s%*s] %3d %%  %.1f of %.1f MB", name, filled, "##############################",
            WIDTH - filled, "", percent, (double)sent / 1e6, (double)total / 1e6);
    fflush(stderr);
}

/* Performs the request and shows meanwhile, if somebody watches, how much of the file was sent. */
static char *request_with_bar(mailru_session session, const char *request, const struct text *file, const char *name,
                              int32_t *code) {
    bool is_watched = isatty(STDERR_FILENO);
    mailru_cancel progress = mailru_cancel_new();
    mailru_queue queue = mailru_queue_new(1, 1, NULL);
    char *json = NULL, *error;
    const uint8_t *data = (const uint8_t *)(file->bytes != NULL ? file->bytes : "");
    *code = mailru_queue_request(queue, session, request, data, file->size, progress, 0, &error);
    if (*code != MAILRU_OK) json = error;
    while (json == NULL) {
        uint64_t sent, total;
        json = mailru_queue_next(queue, is_watched ? 50 : -1, NULL, code);
        mailru_cancel_progress(progress, &sent, &total);
        if (is_watched) draw_bar(name, sent, total);
    }
    if (is_watched && *code == MAILRU_OK) fputc('\n', stderr);
    mailru_queue_free(queue);
    mailru_cancel_free(progress);
    return json;
}

static int read_file(const char *path, struct text *content) {
    FILE *stream = fopen(path, "rb");
    static char piece[65536];
    size_t size;
    while (stream != NULL && (size = fread(piece, 1, sizeof piece, stream)) > 0) add_bytes(content, piece, size);
    int status = stream == NULL || ferror(stream) ? complain("%s: %s", path, strerror(errno)) : DONE;
    if (stream != NULL) fclose(stream);
    return status;
}

int upload(char **arguments) {
    if (*arguments == NULL) return complain("upload needs a file");
    const char *slash = strrchr(*arguments, '/'), *name = slash != NULL ? slash + 1 : *arguments;
    struct text params = {0}, file = {0}, request = {0};
    int status = read_params(arguments + 1, &params);
    if (status == DONE) status = read_file(*arguments, &file);
    mailru_session session = status == DONE ? open_session(FOR_CALLS, &status) : 0;
    if (session != 0) {
        add(&request, "{");
        add_member(&request, "method", settings.method != NULL ? settings.method : "photos.upload");
        add(&request, ",\"params\":");
        add(&request, params.bytes);
        add(&request, ",\"file\":{");
        add_member(&request, "field", settings.field != NULL ? settings.field : "img_file");
        add_member(&request, "name", name);
        add(&request, "}}");
        int32_t code;
        char *json = request_with_bar(session, request.bytes, &file, name, &code);
        status = finish(json, code, NULL);
        mailru_session_free(session);
    }
    forget(&request);
    forget(&file);
    forget(&params);
    return status;
}

/* Says what the tokens are good for, and shows none. */
static void describe(const char *json) {
    struct text value = {0};
    printf("user           %s\n", member(json, "uid", &value) && value.size > 0 ? value.bytes : "unknown");
    printf("circuit        %s\n", member(json, "circuit", &value) ? value.bytes : "none: a key or the user is missing");
    printf("access token   %s", member(json, "access_token", &value) && value.size > 0 ? "yes" : "none");
    time_t end = (time_t)number(json, "expires_at", 0);
    if (end != 0) {
        char date[32] = "";
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", gmtime(&end));
        printf(", %s %s", end > time(NULL) ? "until" : "expired since", date);
    }
    printf("\nrefresh token  %s\n", member(json, "refresh_token", &value) && value.size > 0 ? "yes" : "none");
    forget(&value);
}

int tokens(char **arguments) {
    if (*arguments != NULL) return complain("tokens takes no argument; --renew renews them");
    int status;
    mailru_session session = open_session(FOR_CALLS, &status);
    if (session == 0) return status;
    int32_t code;
    char *json = settings.renew ? mailru_authorize(session, &code) : mailru_tokens(session, &code);
    if (code == MAILRU_OK && !settings.json) {
        describe(json);
        mailru_string_free(json);
        status = DONE;
    } else {
        status = finish(json, code, NULL);
    }
    mailru_session_free(session);
    return status;
}
