/* What stands behind a plait_response, and how errors get into it. */
#ifndef PL_HTTP_RECORD_H
#define PL_HTTP_RECORD_H

#include "base/attributes.h"
#include "http/head.h"
#include "plait/http.h"

struct pl_http_record {
        struct pl_http_head head;
        char *message; /* NULL: none */
        char *url;     /* NULL: none */
        size_t url_capacity;
};

/* Make *response* empty, with a record. 0 or -ENOMEM, which is noted in it. */
PL_WARN_UNUSED int pl_http_record_begin(struct plait_response *response);

/* Where the request goes now. 0 or -ENOMEM. */
PL_WARN_UNUSED int pl_http_record_url(struct plait_response *response, const char *url);

/* Note what went wrong; returns *code*. */
PL_PRINTF(4, 5)
int pl_http_fail(struct plait_response *response, enum plait_http_problem problem, int code, const char *format, ...);

/* Forget what went wrong. */
void pl_http_forgive(struct plait_response *response);

#endif
