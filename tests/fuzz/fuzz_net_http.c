/*
 * HTTP responses: the head, the body in pieces of several sizes, the date, and where it redirects to; and a proxy's
 * first line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/exchange.h"
#include "net/http1.h"
#include "net/portal.h"
#include "net/proxy_dial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
        if (!condition)
                abort();
}

static void count(void *arg, const char *data, size_t bytes)
{
        size_t *sum = arg;

        (void)data;
        *sum += bytes;
}

/* However it is cut, the same body comes out. */
static size_t feed(const struct net_http1_head *head, const char *data, size_t size, size_t piece)
{
        struct net_http1_body body;
        size_t used = 0;
        size_t sum = 0;

        net_http1_begin_body(&body, head, false);
        while (used < size && !body.done) {
                size_t n = size - used < piece ? size - used : piece;
                ssize_t r = net_http1_feed(&body, data + used, n, count, &sum);

                if (r < 0)
                        break;
                expect((size_t)r <= n && (body.done || (size_t)r == n));
                used += (size_t)r;
        }
        expect(sum == body.received && sum <= size);
        return sum;
}

static void look_at_location(const char *location)
{
        const char *base = "http://web.test:81/a/b?c";
        struct net_http_url url;
        struct net_ip ip = {.family = 0};
        char *found = NULL;

        if (net_http_redirect(base, location, &found) < 0)
                return;
        (void)net_http_split_url(found, &url);
        (void)net_portal_judge(base, &ip, &ip, 302, found);
        free(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *text = (const char *)data;
        struct net_http1_head head;
        ssize_t n = net_http1_parse_head(text, size, &head);

        (void)net_proxy_status(text, size);
        if (n <= 0)
                return 0;
        expect((size_t)n <= size && head.status >= 100 && head.status <= 599);
        expect(strlen(head.location) < sizeof head.location && strlen(head.reason) < sizeof head.reason);
        (void)net_http1_parse_date(head.date);
        look_at_location(head.location);

        size_t whole = feed(&head, text + n, size - (size_t)n, size);

        expect(feed(&head, text + n, size - (size_t)n, 1) == whole);
        expect(feed(&head, text + n, size - (size_t)n, 7) == whole);
        return 0;
}
