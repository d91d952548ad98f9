/* A host that loads the library by dlopen and unloads it with calls in flight. */

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t (*session_new)(const char *, const char *, const char *, const char *, const char *, char **);
typedef char *(*call)(uint64_t, const char *, const char *, int32_t *);
typedef void (*string_free)(char *);

static call mailru_call;
static string_free mailru_string_free;
static uint64_t session;

static void *in_flight(void *code)
{
    mailru_string_free(mailru_call(session, "friends.get", NULL, code));
    return NULL;
}

static void *load(const char *path, const char *options)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return NULL;
    session_new make;
    /* The POSIX conversion of a data pointer to a function pointer. */
    *(void **)&make = dlsym(library, "mailru_client_session_new");
    *(void **)&mailru_call = dlsym(library, "mailru_call");
    *(void **)&mailru_string_free = dlsym(library, "mailru_string_free");
    session = make("423004", "7815696ecbf1c96e6894b779456d330e", "be6ef89965d58e56dec21acb9b62bdaa",
                   "1324730981306483817", options, NULL);
    return session ? library : NULL;
}

/* unload LIBRARY OPTIONS: the server answers after a while. */
int main(int argc, char **argv)
{
    pthread_t threads[4];
    int32_t codes[4] = {-1, -1, -1, -1};
    if (argc != 3)
        return 2;
    for (int round = 0; round < 3; round++) {
        void *library = load(argv[1], argv[2]);
        if (!library)
            return 3;
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, in_flight, &codes[i]);
        struct timespec a_moment = {0, 50 * 1000 * 1000};
        nanosleep(&a_moment, NULL);
        dlclose(library);
        /* The fork hook outlives the handle too. */
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        int status;
        waitpid(child, &status, 0);
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
            if (codes[i] != 0)
                return 4;
        }
    }
    puts("12 calls");
    return 0;
}
