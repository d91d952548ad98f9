/*
 * What the examples after the quickstart share: who they are, and where the platform is. Each value can be
 * given in the environment; the defaults are the platform guide's, which the sandbox knows.
 */
#ifndef DEMO_H
#define DEMO_H

#include <mailru.h>
#include <stdlib.h>

/* The environment's value of a name, or a default. */
static const char *demo(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

#define APP_ID demo("MAILRU_APP_ID", "423004")
#define PRIVATE_KEY demo("MAILRU_PRIVATE_KEY", "7815696ecbf1c96e6894b779456d330e")
#define SECRET_KEY demo("MAILRU_SECRET_KEY", "3dad9cbf9baaa0360c0f2ba372d25716")
#define ACCESS_TOKEN demo("MAILRU_ACCESS_TOKEN", "be6ef89965d58e56dec21acb9b62bdaa")
#define USER_ID demo("MAILRU_UID", "1324730981306483817")
/* The options object of every session here; NULL is the real platform. */
#define OPTIONS demo("MAILRU_OPTIONS", NULL)

#endif
