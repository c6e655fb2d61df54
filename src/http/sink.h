/* Where the body of an answer goes, after it has been decoded. Runs in the requesting task or thread. */
#ifndef PL_HTTP_SINK_H
#define PL_HTTP_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "http/buffer.h"
#include "http/decode.h"
#include "plait/http.h"

enum pl_http_sink_kind {
        PL_HTTP_TO_MEMORY,
        PL_HTTP_TO_CALLBACK,
        PL_HTTP_TO_FILE,
        PL_HTTP_TO_FD,
        PL_HTTP_TO_NOBODY,
};

struct pl_http_sink {
        enum pl_http_sink_kind kind;
        const struct plait_request_opts *opts; /* never NULL */
        uint64_t limit;                        /* of decoded bytes */
        uint64_t bytes;                        /* decoded */
        struct pl_http_buffer memory;
        struct pl_http_decoder *decoder; /* NULL: as it comes */
        bool head_told;
        enum plait_http_problem problem; /* what the last negative result was about */
};

/* The final head is there: tell the user of it, and make ready to decode. 0 or -errno; once is enough. */
PL_WARN_UNUSED int pl_http_sink_head(struct pl_http_sink *sink, const struct plait_response *head,
                                     enum pl_http_coding coding);

/* Some of the body, as received. 0 or -errno, and *problem* is set. */
PL_WARN_UNUSED int pl_http_sink_write(struct pl_http_sink *sink, const void *data, size_t bytes);

/* All of the body was received: is it whole, and is it where it should be? 0 or -errno, and *problem* is set. */
PL_WARN_UNUSED int pl_http_sink_finish(struct pl_http_sink *sink);

void pl_http_sink_done(struct pl_http_sink *sink);

#endif
