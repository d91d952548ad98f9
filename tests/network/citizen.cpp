// A host in C++ whose callback throws: nothing of it may come out of the library.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sys/resource.h>

#include "mailru.h"

static void throwing(void *, std::int32_t, const char *) { throw 1; }
static void throwing_release(void *) { throw 1; }

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    bool in_release = std::strcmp(arguments[1], "release") == 0;
    try {
        mailru_session session = mailru_client_session_new(
            "423004", "7815696ecbf1c96e6894b779456d330e", "be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817",
            arguments[2], nullptr);
        mailru_set_log(throwing, nullptr, in_release ? throwing_release : nullptr, in_release ? 1 : 4);
        mailru_string_free(mailru_call(session, "sandbox.echo", nullptr, nullptr));
        mailru_set_log(nullptr, nullptr, nullptr, 0);
    } catch (...) {
        std::puts("caught");
    }
    std::puts("went on");
    return 0;
}
