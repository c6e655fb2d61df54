/* Where a URL leads: scheme, host and port. */
#ifndef PL_HTTP_ORIGIN_H
#define PL_HTTP_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

struct pl_http_origin {
        bool tls;
        bool literal; /* the host is an address, not a name */
        uint16_t port;
        uint32_t hash;
        char host[256]; /* lower case; an IPv6 address in brackets */
};

/* 0; -EINVAL: not a URL; -EPROTONOSUPPORT: neither http nor https. *ret_why* is set to a static text on errors. */
PL_WARN_UNUSED int pl_http_origin_parse(struct pl_http_origin *ret, const char *url, const char **ret_why);

bool pl_http_origin_same(const struct pl_http_origin *a, const struct pl_http_origin *b);

#endif
