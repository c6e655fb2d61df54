/* Where the body of an answer goes; see sink.h. */
#include "http/sink.h"

#include <errno.h>

#include "plait/errno.h"
#include "plait/fd.h"
#include "plait/time.h"

static int failed(struct pl_http_sink *sink, enum plait_http_problem problem, int code)
{
        sink->problem = problem;
        return code;
}

/* Decoded bytes. */
static int take(void *arg, const void *data, size_t bytes)
{
        struct pl_http_sink *sink = arg;
        int r = 0;

        if (bytes > sink->limit - sink->bytes)
                return failed(sink, PLAIT_HTTP_TOO_LARGE, -EFBIG);
        switch (sink->kind) {
        case PL_HTTP_TO_MEMORY:
                if (pl_http_buffer_append(&sink->memory, data, bytes) < 0)
                        return failed(sink, PLAIT_HTTP_NO_MEMORY, -ENOMEM);
                break;
        case PL_HTTP_TO_CALLBACK: r = sink->opts->on_body(sink->opts->arg, data, bytes); break;
        case PL_HTTP_TO_FILE:
                errno = 0;
                if (fwrite(data, 1, bytes, sink->opts->file) != bytes)
                        r = errno ? -errno : -EIO;
                break;
        case PL_HTTP_TO_FD: {
                ssize_t n = plait_write_full(sink->opts->fd, data, bytes, PLAIT_NEVER);

                r = n < 0 ? (int)n : 0;
                break;
        }
        case PL_HTTP_TO_NOBODY: break;
        }
        if (r < 0)
                return failed(sink, PLAIT_HTTP_SINK, r);
        sink->bytes += bytes;
        return 0;
}

int pl_http_sink_head(struct pl_http_sink *sink, const struct plait_response *head, enum pl_http_coding coding)
{
        int r;

        if (sink->head_told)
                return 0;
        sink->head_told = true;
        if (coding != PL_HTTP_IDENTITY) {
                r = pl_http_decoder_new(&sink->decoder, coding);
                if (r < 0)
                        return failed(sink, r == -ENOMEM ? PLAIT_HTTP_NO_MEMORY : PLAIT_HTTP_ENCODING, r);
        }
        r = sink->opts->on_head ? sink->opts->on_head(sink->opts->arg, head) : 0;
        return r < 0 ? failed(sink, PLAIT_HTTP_SINK, r) : 0;
}

int pl_http_sink_write(struct pl_http_sink *sink, const void *data, size_t bytes)
{
        int r;

        if (!sink->decoder)
                return take(sink, data, bytes);
        sink->problem = PLAIT_HTTP_OK;
        r = pl_http_decoder_feed(sink->decoder, data, bytes, take, sink);
        if (r < 0 && sink->problem == PLAIT_HTTP_OK)
                failed(sink, r == -ENOMEM ? PLAIT_HTTP_NO_MEMORY : PLAIT_HTTP_ENCODING, r);
        return r;
}

int pl_http_sink_finish(struct pl_http_sink *sink)
{
        if (sink->decoder && !pl_http_decoder_ended(sink->decoder))
                return failed(sink, PLAIT_HTTP_TRUNCATED, -ENODATA);
        if (sink->kind == PL_HTTP_TO_FILE && fflush(sink->opts->file) != 0)
                return failed(sink, PLAIT_HTTP_SINK, -errno);
        return 0;
}

void pl_http_sink_done(struct pl_http_sink *sink)
{
        pl_http_decoder_free(sink->decoder);
        sink->decoder = NULL;
        pl_http_buffer_done(&sink->memory);
}
