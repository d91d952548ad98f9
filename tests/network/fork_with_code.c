/* A host that forks while another thread exchanges a code for tokens: only the parent may use the code. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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
    if (argc != 3)
        return 2;
    session = mailru_code_session_new("423004", "7815696ecbf1c96e6894b779456d330e", NULL, argv[2],
                                      "http://localhost/cb", argv[1], &error);
    if (!session) {
        puts(error);
        return 2;
    }
    pthread_t thread;
    int32_t in_parent = -1, code = -1;
    pthread_create(&thread, NULL, first_call, &in_parent);
    usleep(300000); /* the grant takes longer than that: the sandbox sees to it */
    pid_t child = fork();
    if (child == 0) {
        char *json = mailru_call(session, "friends.get", NULL, &code);
        printf("child: %s %s\n", mailru_code_name(code), json);
        mailru_string_free(json);
        json = mailru_authorize(session, &code);
        printf("child: %s\n", mailru_code_name(code));
        mailru_string_free(json);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    pthread_join(thread, NULL);
    printf("parent: %s\n", mailru_code_name(in_parent));
    mailru_session_free(session);
    return 0;
}
