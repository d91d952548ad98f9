/* From dlopen to the first answer, in a process that has done nothing else: prints one JSON object. */
#include "probe.h"

#include <dlfcn.h>

/* POSIX has dlsym give functions as data pointers, which C knows no conversion for. */
static void find(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    if (!symbol)
        quit("not exported", name);
    memcpy(function, &symbol, sizeof symbol);
}

int main(void) {
    char buffer[4096], *error;
    const char *app_id = given("BENCH_APP_ID"), *key = given("BENCH_PRIVATE_KEY"), *token = given("BENCH_ACCESS_TOKEN"),
               *uid = given("BENCH_UID"), *method = given("BENCH_METHOD"), *params = given("BENCH_PARAMS"),
               *json = options(buffer, sizeof buffer, 16);
    mailru_session (*session_new)(const char *, const char *, const char *, const char *, const char *, char **);
    char *(*call)(mailru_session, const char *, const char *, int32_t *);
    int32_t code;

    double begun = milliseconds();
    void *library = dlopen(LIBRARY, RTLD_NOW);
    if (!library)
        quit("dlopen", dlerror());
    find(library, "mailru_client_session_new", &session_new);
    find(library, "mailru_call", &call);
    double loaded = milliseconds();
    mailru_session session = session_new(app_id, key, token, uid, json, &error);
    if (!session)
        quit("no session", error);
    char *answer = call(session, method, params, &code);
    double answered = milliseconds();
    if (code != MAILRU_OK)
        quit("mailru_call", answer);
    printf("{\"load_ms\":%.3f,\"answer_ms\":%.3f}\n", loaded - begun, answered - begun);
    return 0;
}
