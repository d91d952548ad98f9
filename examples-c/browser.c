/*
 * Not an example of the library: plays the browser, so that `make run-all` needs nobody at the keyboard.
 *
 *     browser ADDRESS          prints where the server sends the browser
 *     browser ADDRESS BODY     posts a body
 *
 * Plain http only, for the sandbox on this machine.
 */
#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#define _POSIX_C_SOURCE 200112L
#include <netdb.h>
#include <sys/socket.h>
typedef int SOCKET;
#define INVALID_SOCKET (-1)
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static SOCKET connected(const char *host, const char *port) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &hints, &found) != 0) return INVALID_SOCKET;
    SOCKET server = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    if (server != INVALID_SOCKET && connect(server, found->ai_addr, (socklen_t)found->ai_addrlen) != 0) {
        server = INVALID_SOCKET;
    }
    freeaddrinfo(found);
    return server;
}

/* Sends a request; the answer, as far as it fits. Sockets end with the program. */
static void exchange(SOCKET server, const char *request, char *answer, int room) {
    int length = 0, more = 1;
    for (int size = (int)strlen(request), sent = 0; sent < size && more > 0; sent += more) {
        more = (int)send(server, request + sent, size - sent, 0);
    }
    while (more > 0 && length < room - 1) {
        more = (int)recv(server, answer + length, room - 1 - length, 0);
        length += more > 0 ? more : 0;
    }
    answer[length] = '\0';
}

int main(int count, char **arguments) {
    static char request[8192], answer[65536];
    char host[256], port[6], path[4096] = "";
    if (count < 2 || sscanf(arguments[1], "http://%255[^:]:%5[0-9]/%4095s", host, port, path) < 2) {
        fprintf(stderr, "usage: browser http://HOST:PORT/PATH [BODY]\n");
        return EXIT_FAILURE;
    }
#ifdef _WIN32
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return EXIT_FAILURE;
#endif
    SOCKET server = connected(host, port);
    if (server == INVALID_SOCKET) {
        fprintf(stderr, "no connection to %s\n", arguments[1]);
        return EXIT_FAILURE;
    }
    const char *body = count > 2 ? arguments[2] : "";
    snprintf(request, sizeof request,
             "%s /%s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
             count > 2 ? "POST" : "GET", path, host, port, (int)strlen(body), body);
    exchange(server, request, answer, sizeof answer);

    /* The sandbox writes the names of headers in small letters. */
    static const char LOCATION[] = "\r\nlocation: ";
    int status = 0;
    sscanf(answer, "HTTP/1.1 %d", &status);
    char *location = strstr(answer, LOCATION);
    if (location != NULL) {
        location += sizeof LOCATION - 1;
        printf("%.*s\n", (int)strcspn(location, "\r\n"), location);
    }
    return status >= 200 && status < 400 ? EXIT_SUCCESS : EXIT_FAILURE;
}
