/* A host that forks while another thread renews with the lock held; when the parent ends, the lock must be free. */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mailru.h"

static mailru_session session;

static void *first_call(void *code)
{
    mailru_string_free(mailru_call(session, "friends.get", NULL, code));
    return NULL;
}

int main(int argc, char **argv)
{
    char *error = NULL;
    int32_t code = -1;
    int ends[2];
    if (argc != 3 || pipe(ends) != 0)
        return 2;
    session = mailru_refresh_session_new("423004", "7815696ecbf1c96e6894b779456d330e", NULL, argv[2], argv[1], &error);
    if (!session) {
        puts(error);
        return 2;
    }
    pid_t host = fork();
    if (host == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, first_call, &code);
        usleep(500000); /* the renewal takes longer than that: the sandbox sees to it */
        if (fork() == 0) {
            char byte;
            close(ends[1]);
            if (read(ends[0], &byte, 1) != 0) /* until the parent has ended */
                _exit(1);
            char *json = mailru_call(session, "friends.get", NULL, &code);
            printf("%s %s\n", mailru_code_name(code), json);
            fflush(stdout);
            _exit(0);
        }
        raise(SIGKILL);
    }
    close(ends[1]);
    sleep(1);
    return 0;
}
