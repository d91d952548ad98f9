/* libcurl at its best: a handle per thread, a fixed address, no signature, no JSON. */
#include "transfer.h"

#include <stdio.h>

static int begin(const struct work *work) {
    (void)work;
    return curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK;
}

static void *enter(const struct work *work) {
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer || transfer_begin(transfer, work) != 0)
        return NULL;
    char url[4096];
    snprintf(url, sizeof url, "%s?%s", work->url, work->query);
    curl_easy_setopt(transfer->curl, CURLOPT_URL, url);
    return transfer;
}

static size_t call(void *state) {
    struct transfer *transfer = state;
    return transfer_run(transfer) == 0 ? transfer->size : 0;
}

static void leave(void *state) {
    transfer_end(state);
    free(state);
}

const struct peer peer = {begin, enter, call, leave, 0};
