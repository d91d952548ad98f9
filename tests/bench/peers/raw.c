/* The limit: a socket, a request built beforehand, and an answer whose length is known. */
#include "slice.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int socket;
    char *request;
    size_t request_size;
    char *answer;
    size_t room;
    size_t whole; /* head and body; 0 before the first answer */
    size_t body;
};

static int begin(const struct work *work) {
    return strncmp(work->url, "http://127.0.0.1:", 17) != 0;
}

static void *enter(const struct work *work) {
    struct connection *connection = calloc(1, sizeof *connection);
    const char *path = strchr(work->url + 7, '/');
    connection->room = 2 << 20;
    connection->answer = malloc(connection->room);
    connection->request = malloc(strlen(path) + strlen(work->query) + 256);
    connection->request_size = (size_t)sprintf(connection->request,
                                               "GET %s?%s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: raw\r\n\r\n", path,
                                               work->query);
    connection->socket = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)atoi(work->url + 17)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) != 0)
        return NULL;
    return connection;
}

/* Reads the head's length and the announced size once; every answer is the same. */
static void learn(struct connection *connection, size_t have) {
    connection->answer[have] = 0;
    char *end = strstr(connection->answer, "\r\n\r\n"), *size = strstr(connection->answer, "Content-Length: ");
    if (end && size) {
        connection->body = strtoul(size + 16, NULL, 10);
        connection->whole = (size_t)(end + 4 - connection->answer) + connection->body;
    }
}

static size_t call(void *state) {
    struct connection *connection = state;
    if (write(connection->socket, connection->request, connection->request_size) != (ssize_t)connection->request_size)
        return 0;
    for (size_t have = 0; connection->whole == 0 || have < connection->whole;) {
        ssize_t more = read(connection->socket, connection->answer + have, connection->room - have - 1);
        if (more <= 0)
            return 0;
        have += (size_t)more;
        if (connection->whole == 0)
            learn(connection, have);
    }
    return memcmp(connection->answer, "HTTP/1.1 200", 12) == 0 ? connection->body : 0;
}

static void leave(void *state) {
    struct connection *connection = state;
    close(connection->socket);
    free(connection->request);
    free(connection->answer);
    free(connection);
}

const struct peer peer = {begin, enter, call, leave, 0};
