/*
 * Shared by the parts of the test program. Each part returns when it is done; failures are counted and printed.
 */
#ifndef CHECK_H
#define CHECK_H

#define _POSIX_C_SOURCE 200112L
#include <mailru.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define APP_ID "423004"
#define PRIVATE_KEY "7815696ecbf1c96e6894b779456d330e"
#define SECRET_KEY "3dad9cbf9baaa0360c0f2ba372d25716"
#define SESSION_KEY "be6ef89965d58e56dec21acb9b62bdaa"
#define UID "1324730981306483817"

/* The content of out-parameters before a call: not a value of the library. */
#define POISONED_CODE (-7777)
#define POISONED_TAG 0xDEADBEEFu
extern char poison[];

/* Counts and prints a failure unless the condition is true. */
bool check(bool holds, const char *format, ...);
int failures(void);

/*
 * Checks the code of a result, the shape of a failure, and that it contains a text (NULL: any), then releases it. If
 * code is NULL, as it was for the function, only the JSON is checked.
 */
void answered(const char *what, char *json, const int32_t *code, int32_t expected, const char *contained);

/* The same for a constructor that should fail: 0 with an error. */
void refused(const char *what, uint64_t handle, char *error, int32_t expected, const char *contained);

/* An environment variable that the test sets. */
const char *given(const char *name);
/* The guide's user in the client-server circuit; options NULL means those that direct it to the sandbox. */
mailru_session client(const char *options);

void pause_ms(long milliseconds);

void results(void);
void figures(void);
void nulls(void);
void handles(void);
void soak(int seconds);

#endif
