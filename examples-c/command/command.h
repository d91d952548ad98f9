/*
 * What the parts of the command `mailru` share. Each command is a function of the arguments after its name, and returns
 * the exit status.
 */
#ifndef COMMAND_H
#define COMMAND_H

#define _POSIX_C_SOURCE 200809L
#include <mailru.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit statuses, by who can act. `mailru --help` tells them. */
enum {
    DONE = 0,
    PLATFORM_REFUSED = 1, /* the platform answered with an error */
    WRONG_USE = 2,        /* an argument, a key, a file */
    WRONG_SIGNATURE = 3,  /* verify and verify-launch: not the platform's */
    LOGIN_REFUSED = 4,    /* the authorization server refused: log in again */
    NO_ANSWER = 5,        /* the network, a time limit, an answer that is none */
    BUG = 70
};

/* text.c: texts that grow, and JSON as far as it is needed. */

struct text {
    char *bytes; /* NULL while it is empty; else terminated */
    size_t size, room;
};

void add(struct text *text, const char *more);
void add_bytes(struct text *text, const char *more, size_t size);
/* The text as a JSON string. */
void add_string(struct text *text, const char *value);
/* A member of an object whose first bracket is there already; NULL adds nothing. */
void add_member(struct text *object, const char *name, const char *value);
/* The members of another object. */
void add_members(struct text *object, const char *json);
void forget(struct text *text); /* wipes it and gives it back */
char *copy_of(const char *value); /* NULL of NULL */

/* Reads the JSON string that begins at *at, and moves *at behind it. */
bool read_string(const char **at, struct text *value);
/* A member of the library's own JSON that is a string; false if it is absent or none. It is no JSON parser: for the
   platform's answers use one. */
bool member(const char *json, const char *name, struct text *value);
/* A member that is a whole number; `otherwise` if it is absent or null. */
long long number(const char *json, const char *name, long long otherwise);

/* keys.c: who calls, and where the platform is. */

enum key { APP_ID, PRIVATE_KEY, SECRET_KEY, ACCESS_TOKEN, REFRESH_TOKEN, USER_ID, EMAIL, PASSWORD, TOKEN_FILE, KEYS };

struct settings {
    char *keys[KEYS];
    const char *keys_file;    /* --keys */
    const char *options;      /* --options: a JSON object */
    const char *timeout_ms;   /* --timeout */
    const char *circuit;      /* --circuit: "client", "server", or NULL */
    char *sandbox;            /* its address, or NULL */
    bool starts_sandbox;      /* --sandbox without an address */
    bool json, debug, force, renew;
    const char *kind, *method, *field, *response_type, *redirect, *scope, *signature;
};
extern struct settings settings;

/* Puts in what the flags left open: the environment, the file of keys, the sandbox's own. A status. */
int complete_settings(const char *program);
/* The file that `login` writes unless another is named; NULL where there is no home. */
const char *default_token_file(void);
/* Names a key that is missing, and how to give it. */
int missing(enum key key);
/* The session's options, JSON. */
void session_options(struct text *options);

/* sandbox.c */

/* Starts a sandbox that lives as long as this process; its address in settings. A status. */
int start_sandbox(const char *program);

/* session.c */

enum purpose { FOR_CALLS, FOR_PUBLIC_PAGES };
/* A session for these settings, or 0, then *status says what to exit with. */
mailru_session open_session(enum purpose purpose, int *status);

/* outcome.c: what is told of an outcome, and the exit status of its code. */

int complain(const char *format, ...); /* WRONG_USE */
/* Prints the JSON of success, or tells the failure; releases it. `retry` is a command that helps with a wrong signature,
   or NULL. */
int finish(char *json, int32_t code, const char *retry);
int tell_failure(const char *json, int32_t code, const char *retry);

/* The parameters of a call: name=value…, one JSON object, or "-" for an object from the input. A status. */
int read_params(char **arguments, struct text *json);

/* The commands. */

int call(char **arguments);
int public_page(char **arguments);
int upload(char **arguments);
int tokens(char **arguments);
int login(char **arguments);
int sign(char **arguments);
int verify(char **arguments);
int verify_launch(char **arguments);
int methods(char **arguments);
int errors(char **arguments);
int version(char **arguments);

#endif
