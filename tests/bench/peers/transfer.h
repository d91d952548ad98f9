/* What both libcurl peers share: a handle kept for a thread's life, and a buffer for the answer. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "slice.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

struct transfer {
    CURL *curl;
    char *answer;
    size_t size;
    size_t room;
};

static size_t take(char *bytes, size_t one, size_t count, void *state) {
    struct transfer *transfer = state;
    size_t needed = transfer->size + one * count + 1;
    if (needed > transfer->room) {
        size_t room = needed > 2 * transfer->room ? needed : 2 * transfer->room;
        char *larger = realloc(transfer->answer, room);
        if (!larger)
            return 0;
        transfer->answer = larger;
        transfer->room = room;
    }
    memcpy(transfer->answer + transfer->size, bytes, one * count);
    transfer->size += one * count;
    transfer->answer[transfer->size] = 0;
    return one * count;
}

static inline int transfer_begin(struct transfer *transfer, const struct work *work) {
    transfer->curl = curl_easy_init();
    if (!transfer->curl)
        return -1;
    curl_easy_setopt(transfer->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(transfer->curl, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(transfer->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(transfer->curl, CURLOPT_TIMEOUT_MS, 30000L);
    if (work->ca_file)
        curl_easy_setopt(transfer->curl, CURLOPT_CAINFO, work->ca_file);
    return 0;
}

/* Performs the transfer; 0 if it went well. */
static inline int transfer_run(struct transfer *transfer) {
    long status = 0;
    transfer->size = 0;
    if (curl_easy_perform(transfer->curl) != CURLE_OK)
        return -1;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? 0 : -1;
}

static inline void transfer_end(struct transfer *transfer) {
    curl_easy_cleanup(transfer->curl);
    free(transfer->answer);
}

#endif
