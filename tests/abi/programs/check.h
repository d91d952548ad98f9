/*
 * What the parts of the test program share. Each part returns when it is done; what failed is counted and told.
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

/* What out-parameters hold before a call: no answer of the library's. */
#define POISONED_CODE (-7777)
#define POISONED_TAG 0xDEADBEEFu
extern char poison[];

/* Counts a failure unless the condition holds; in words of the format. */
bool check(bool holds, const char *format, ...);
int failures(void);

/*
 * Checks an answer against the code expected, and a failure's shape, and that it contains a text (NULL: any);
 * releases it. Where code is NULL, as it was for the function, the JSON alone is looked at.
 */
void answered(const char *what, char *json, const int32_t *code, int32_t expected, const char *contained);

/* The same for a constructor that should fail: 0 with an error. */
void refused(const char *what, uint64_t handle, char *error, int32_t expected, const char *contained);

/* An environment variable that the test sets. */
const char *given(const char *name);
/* The guide's user in the client-server circuit; options NULL stands for those that lead to the sandbox. */
mailru_session client(const char *options);

void pause_ms(long milliseconds);

void results(void);
void figures(void);
void nulls(void);
void handles(void);
void soak(int seconds);

#endif
