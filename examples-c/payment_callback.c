/*
 * Adds to the login: the way round, a request from the platform. It calls the application's server when a
 * user pays; anybody else can call it, too, so the signature decides. No session and no network is needed.
 *
 *     payment_callback                     a payment made up for this demo
 *     payment_callback 'app_id=1&...'      the query string of a request, as it came
 *
 * Prints what the server answers the platform. MAILRU_SECRET_KEY is the application's secret key; the demo's is
 * "secretkey".
 */
#include "demo.h"

#include <stdio.h>

static const char MADE_UP[] = "app_id=524632&transaction_id=3751&service_id=10&uid=104"
                              "&mailiki_price=10&other_price=10000&profit=5000"
                              "&sig=961a705e28008186d443fe211608184c";

int main(int count, char **arguments) {
    const char *query = count > 1 ? arguments[1] : MADE_UP;
    const char *secret_key = count > 1 ? demo("MAILRU_SECRET_KEY", "secretkey") : "secretkey";

    int32_t code;
    char *json = mailru_verify_query("payment", secret_key, query, &code);
    if (code != MAILRU_OK) {
        fprintf(stderr, "refused: %s\n", json);
        mailru_string_free(json);
        /* Whoever sent it gets no more than "other error". */
        printf("{\"status\":2,\"error_code\":700}\n");
        return EXIT_FAILURE;
    }
    fprintf(stderr, "paid: %s\n", json);
    /*
     * Here the service is handed out, by the params in json and by nothing else of the query: where app_id is the
     * application's own, service_id and the price belong together, and the transaction_id is new. The platform may
     * call again; then the answer is the same, and nothing is handed out.
     */
    mailru_string_free(json);
    printf("{\"status\":1}\n");
    return EXIT_SUCCESS;
}
