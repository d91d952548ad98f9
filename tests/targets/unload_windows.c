/* tests/network/unload.c for Windows: loads the library by hand, and lets go of it with calls in flight. */

#include <process.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

typedef uint64_t (*session_new)(const char *, const char *, const char *, const char *, const char *, char **);
typedef char *(*call)(uint64_t, const char *, const char *, int32_t *);
typedef void (*string_free)(char *);

static call mailru_call;
static string_free mailru_string_free;
static uint64_t session;

static unsigned __stdcall in_flight(void *code)
{
    mailru_string_free(mailru_call(session, "friends.get", NULL, code));
    return 0;
}

static void find(HMODULE library, const char *name, void *function)
{
    FARPROC found = GetProcAddress(library, name);
    memcpy(function, &found, sizeof found);
}

/* unload LIBRARY OPTIONS: the server answers after a while. */
int main(int argc, char **argv)
{
    HANDLE threads[4];
    int32_t codes[4] = {-1, -1, -1, -1};
    if (argc != 3)
        return 2;
    for (int round = 0; round < 3; round++) {
        HMODULE library = LoadLibraryA(argv[1]);
        session_new make;
        find(library, "mailru_client_session_new", &make);
        find(library, "mailru_call", &mailru_call);
        find(library, "mailru_string_free", &mailru_string_free);
        session = make("423004", "7815696ecbf1c96e6894b779456d330e", "be6ef89965d58e56dec21acb9b62bdaa",
                       "1324730981306483817", argv[2], NULL);
        if (!session)
            return 3;
        for (int i = 0; i < 4; i++)
            threads[i] = (HANDLE)_beginthreadex(NULL, 0, in_flight, &codes[i], 0, NULL);
        Sleep(50);
        FreeLibrary(library);
        WaitForMultipleObjects(4, threads, TRUE, INFINITE);
        for (int i = 0; i < 4; i++)
            if (codes[i] != 0)
                return 4;
    }
    puts("12 calls");
    return 0;
}
