/* libcurl's multi interface at its best: one thread, epoll, fixed address, no signature, no JSON. */
#include "transfer.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>

enum { EVENTS = 512 };

static CURLM *multi;
static int epoll;
static long timeout_ms = -1;
static double timeout_set;
static struct transfer *transfers;
static int running;

static double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int watch(CURL *easy, curl_socket_t socket, int what, void *user, void *known) {
    (void)easy;
    (void)user;
    struct epoll_event event = {0};
    event.data.fd = socket;
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (what == CURL_POLL_REMOVE)
        epoll_ctl(epoll, EPOLL_CTL_DEL, socket, &event);
    else
        epoll_ctl(epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
    curl_multi_assign(multi, socket, what == CURL_POLL_REMOVE ? NULL : &epoll);
    return 0;
}

static int set_timer(CURLM *of, long ms, void *user) {
    (void)of;
    (void)user;
    timeout_ms = ms;
    timeout_set = now_ms();
    return 0;
}

static int begin(const struct work *work) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(multi = curl_multi_init()))
        return 1;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)work->threads);
    return epoll < 0;
}

static void start(struct transfer *transfer) {
    transfer->size = 0;
    if (curl_multi_add_handle(multi, transfer->curl) != CURLM_OK)
        fail("curl_multi_add_handle", NULL);
}

static void *enter(const struct work *work) {
    char url[4096];
    snprintf(url, sizeof url, "%s?%s", work->url, work->query);
    transfers = calloc((size_t)work->threads, sizeof *transfers);
    for (int i = 0; transfers && i < work->threads; i++) {
        if (transfer_begin(&transfers[i], work) != 0)
            return NULL;
        curl_easy_setopt(transfers[i].curl, CURLOPT_URL, url);
        curl_easy_setopt(transfers[i].curl, CURLOPT_PRIVATE, &transfers[i]);
        start(&transfers[i]);
    }
    running = 1;
    return transfers;
}

/* One completion; its transfer begins again. */
static size_t completed(void) {
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)))
        if (message->msg == CURLMSG_DONE) {
            struct transfer *transfer;
            long status = 0;
            if (message->data.result != CURLE_OK)
                fail("a transfer failed", curl_easy_strerror(message->data.result));
            curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
            if (status != 200)
                fail("another status than 200", NULL);
            size_t size = transfer->size;
            curl_multi_remove_handle(multi, message->easy_handle);
            start(transfer);
            return size;
        }
    return 0;
}

static size_t call(void *state) {
    (void)state;
    for (;;) {
        size_t size = completed();
        if (size > 0)
            return size;
        struct epoll_event events[EVENTS];
        double left = timeout_ms < 0 ? 1000 : timeout_set + (double)timeout_ms - now_ms();
        int count = epoll_wait(epoll, events, EVENTS, left > 0 ? (int)left + 1 : 0);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait", NULL);
        for (int i = 0; i < count; i++) {
            int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                       (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                       (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(multi, events[i].data.fd, what, &running);
        }
        if (timeout_ms >= 0 && now_ms() >= timeout_set + (double)timeout_ms) {
            timeout_ms = -1;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
    }
}

static void leave(void *state) {
    (void)state;
}

const struct peer peer = {begin, enter, call, leave, 1};
