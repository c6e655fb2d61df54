/* plait_http_perform(): a user's own easy handle on a driver. */
#include <stdlib.h>
#include <string.h>

#include "http/driver.h"
#include "http/libcurl.h"
#include "http/origin.h"
#include "http/transfer.h"
#include "plait/curl.h"
#include "plait/time.h"
#include "sched/runtime.h"

CURLcode plait_http_perform(CURL *easy)
{
        struct pl_http_transfer transfer;
        struct pl_http_driver *driver;
        struct pl_http_origin origin = {.hash = 0};
        const char *url = NULL;
        const char *why;
        int r;

        if (!easy)
                return CURLE_BAD_FUNCTION_ARGUMENT;
        if (pl_http_libcurl_load() < 0)
                return CURLE_FAILED_INIT;
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        if (!pl_sched_in_task())
                return curl_easy_perform(easy);
        /* what cannot be parsed here, or is no http, is for libcurl to judge */
        curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
        if (!url || pl_http_origin_parse(&origin, url, &why) < 0)
                origin = (struct pl_http_origin){.hash = 0};
        if (origin.tls)
                curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
        if (pl_http_driver_for(&driver, origin.hash) < 0)
                return CURLE_OUT_OF_MEMORY;
        pl_http_transfer_init(&transfer, easy);
        pl_http_transfer_begin(&transfer, driver);
        r = pl_http_transfer_wait(&transfer, PLAIT_NEVER, 0);
        if (r >= 0 || pl_http_transfer_abandon(&transfer))
                return transfer.result;
        return r == -ETIMEDOUT ? CURLE_OPERATION_TIMEDOUT : CURLE_ABORTED_BY_CALLBACK;
}
