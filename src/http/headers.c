/* The headers that a request sends. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/session.h"

static size_t name_bytes(const char *header)
{
        return strcspn(header, ":;");
}

bool pl_http_headers_valid(const char *const *headers)
{
        for (; headers && *headers; headers++) {
                size_t n = name_bytes(*headers);

                if (!n || !(*headers)[n] || strpbrk(*headers, "\r\n"))
                        return false;
                for (size_t i = 0; i < n; i++)
                        if (strchr(" \t\"(),/<=>?@[\\]{}", (*headers)[i]) || (unsigned char)(*headers)[i] <= ' ' ||
                            (unsigned char)(*headers)[i] >= 0x7f)
                                return false;
        }
        return true;
}

static bool same_name(const char *a, const char *b)
{
        size_t n = name_bytes(a);

        return n == name_bytes(b) && strncasecmp(a, b, n) == 0;
}

static bool named_in(const char *const *headers, const char *header)
{
        for (; headers && *headers; headers++)
                if (same_name(*headers, header))
                        return true;
        return false;
}

/* Secrets for the host that the caller had in mind. */
static bool for_one_host(const char *header)
{
        return same_name(header, "Authorization:") || same_name(header, "Cookie:") || same_name(header, "Host:") ||
               same_name(header, "Proxy-Authorization:");
}

static int append(struct curl_slist **list, const char *header)
{
        struct curl_slist *longer = curl_slist_append(*list, header);

        if (!longer)
                return -ENOMEM;
        *list = longer;
        return 0;
}

int pl_http_headers_merge(struct curl_slist **ret, const struct plait_session *session, const char *const *more,
                          bool foreign, const char *content_type, bool has_body)
{
        struct curl_slist *list = NULL;
        int r = 0;

        for (const struct curl_slist *h = session->headers; h && r == 0; h = h->next)
                if (!named_in(more, h->data) && !(foreign && for_one_host(h->data)))
                        r = append(&list, h->data);
        for (const char *const *h = more; h && *h && r == 0; h++)
                if (!(foreign && for_one_host(*h)))
                        r = append(&list, *h);
        if (r == 0 && has_body && !named_in(more, "Content-Type:")) {
                char line[512];

                snprintf(line, sizeof line, "Content-Type: %s", content_type);
                r = append(&list, line);
        }
        if (r == 0 && has_body && !named_in(more, "Expect:"))
                r = append(&list, "Expect:"); /* libcurl would wait a second for a leave that few servers give */
        if (r < 0) {
                curl_slist_free_all(list);
                return r;
        }
        *ret = list;
        return 0;
}
