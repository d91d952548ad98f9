/* Who calls: keys and tokens from flags, the environment, or a file that only its owner can read. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings settings;

static const struct {
    const char *name; /* in the file; with other spelling the flag and the variable */
    const char *flag, *variable;
    const char *of_sandbox;
} known[KEYS] = {
    {"app_id", "--app-id", "MAILRU_APP_ID", "423004"},
    {"private_key", "--private-key", "MAILRU_PRIVATE_KEY", "7815696ecbf1c96e6894b779456d330e"},
    {"secret_key", "--secret-key", "MAILRU_SECRET_KEY", "3dad9cbf9baaa0360c0f2ba372d25716"},
    {"access_token", "--access-token", "MAILRU_ACCESS_TOKEN", "be6ef89965d58e56dec21acb9b62bdaa"},
    {"refresh_token", "--refresh-token", "MAILRU_REFRESH_TOKEN", NULL},
    {"uid", "--uid", "MAILRU_UID", "1324730981306483817"},
    {"email", "--email", "MAILRU_EMAIL", NULL},
    {"password", "--password", "MAILRU_PASSWORD", NULL},
    {"token_file", "--token-file", "MAILRU_TOKEN_FILE", NULL},
};

int missing(enum key key) {
    return complain("%s is missing: give it by %s, by %s in the environment, or as a line %s=... of a file of mode "
                    "0600 that --keys or MAILRU_KEYS names",
                    known[key].name, known[key].flag, known[key].variable, known[key].name);
}

/* A file in the user's folder of configurations. */
static char *configured(const char *name) {
    const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    struct text path = {0};
    if (folder != NULL && *folder == '/') {
        add(&path, folder);
    } else if (home != NULL && *home == '/') {
        add(&path, home);
        add(&path, "/.config");
    } else {
        return NULL;
    }
    add(&path, "/mailru/");
    add(&path, name);
    return path.bytes;
}

const char *default_token_file(void) {
    static char *file;
    if (file == NULL && settings.keys[APP_ID] != NULL && strchr(settings.keys[APP_ID], '/') == NULL) {
        struct text name = {0};
        add(&name, "tokens-");
        add(&name, settings.keys[APP_ID]);
        add(&name, ".json");
        file = configured(name.bytes);
        forget(&name);
    }
    return file;
}

static int read_line(const char *file, int at, char *line) {
    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = '\0';
    if (*line == '\0' || *line == '#') return DONE;
    char *value = strchr(line, '=');
    if (value != NULL) *value++ = '\0';
    for (int key = 0; value != NULL && key < KEYS; key++) {
        if (strcmp(line, known[key].name) != 0) continue;
        if (settings.keys[key] == NULL) settings.keys[key] = copy_of(value);
        return DONE;
    }
    /* The line itself may hold a key, and is not shown. */
    return complain("%s, line %d: must be name=value, with a name such as app_id, private_key, secret_key", file, at);
}

static int read_file(const char *file, bool must_exist) {
    FILE *stream = fopen(file, "r");
    if (stream == NULL && !must_exist && errno == ENOENT) return DONE;
    if (stream == NULL) return complain("%s: %s", file, strerror(errno));
    struct stat facts;
    int status = DONE;
    if (fstat(fileno(stream), &facts) != 0 || (facts.st_mode & 077) != 0) {
        status = complain("%s: others can read it, and it holds keys; run chmod 600 on it", file);
    } else if (facts.st_uid != geteuid() && geteuid() != 0) {
        status = complain("%s: it is another user's; keys are read from your own file only", file);
    }
    char *line = NULL;
    size_t room = 0;
    for (int at = 1; status == DONE && getline(&line, &room, stream) >= 0; at++) status = read_line(file, at, line);
    struct text wiped = {line, 0, line != NULL ? room : 0};
    forget(&wiped);
    fclose(stream);
    return status;
}

int complete_settings(const char *program) {
    for (int key = 0; key < KEYS; key++) {
        const char *value = getenv(known[key].variable);
        if (settings.keys[key] == NULL && value != NULL && *value != '\0') settings.keys[key] = copy_of(value);
    }
    const char *file = settings.keys_file != NULL ? settings.keys_file : getenv("MAILRU_KEYS");
    bool is_named = file != NULL && *file != '\0';
    char *usual = is_named ? NULL : configured("keys");
    int status = is_named ? read_file(file, true) : usual != NULL ? read_file(usual, false) : DONE;
    free(usual);
    if (status != DONE) return status;
    if (settings.starts_sandbox && (status = start_sandbox(program)) != DONE) return status;
    if (settings.sandbox == NULL) return DONE;
    bool has_token = settings.keys[TOKEN_FILE] != NULL || settings.keys[REFRESH_TOKEN] != NULL
                     || settings.keys[EMAIL] != NULL || settings.keys[ACCESS_TOKEN] != NULL;
    for (int key = 0; key < KEYS; key++) {
        bool is_of_user = key == ACCESS_TOKEN || key == USER_ID;
        if (settings.keys[key] == NULL && !(is_of_user && has_token)) settings.keys[key] = copy_of(known[key].of_sandbox);
    }
    return DONE;
}

static void add_address(struct text *options, const char *name, const char *path) {
    struct text address = {0};
    add(&address, settings.sandbox);
    add(&address, path);
    add_member(options, name, address.bytes);
    forget(&address);
}

void session_options(struct text *options) {
    add(options, "{");
    if (settings.sandbox != NULL) {
        add_address(options, "api_url", "/platform/api");
        add_address(options, "public_url", "/platform");
        add_address(options, "token_url", "/oauth/token");
    }
    add_member(options, "token_file", settings.keys[TOKEN_FILE]);
    if (settings.keys[ACCESS_TOKEN] != NULL) add_member(options, "refresh_token", settings.keys[REFRESH_TOKEN]);
    if (settings.timeout_ms != NULL) {
        add(options, options->size > 1 ? ",\"timeout_ms\":" : "\"timeout_ms\":");
        add(options, settings.timeout_ms);
    }
    /* The environment's may lead to another platform than the sandbox that was asked for. */
    const char *more = settings.options != NULL ? settings.options
                       : settings.sandbox == NULL ? getenv("MAILRU_OPTIONS") : NULL;
    if (more != NULL && *more != '\0') add_members(options, more);
    add(options, "}");
}
