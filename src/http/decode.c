/* Decoders of compressed bodies; see decode.h. */
#define ZLIB_CONST
#include "http/decode.h"

#include <brotli/decode.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

enum { CHUNK_BYTES = 16 << 10 };

struct pl_http_decoder {
        enum pl_http_coding coding;
        bool started;
        bool ended;
        z_stream z;
        BrotliDecoderState *brotli;
        uint8_t chunk[CHUNK_BYTES];
};

int pl_http_decoder_new(struct pl_http_decoder **ret, enum pl_http_coding coding)
{
        struct pl_http_decoder *decoder;
        bool ready = false;

        if (coding != PL_HTTP_GZIP && coding != PL_HTTP_DEFLATE && coding != PL_HTTP_BROTLI)
                return -EBADMSG;
        decoder = malloc(sizeof *decoder);
        if (!decoder)
                return -ENOMEM;
        decoder->coding = coding;
        decoder->started = false;
        decoder->ended = false;
        decoder->z = (z_stream){0};
        decoder->brotli = NULL;
        switch (coding) {
        case PL_HTTP_GZIP: ready = inflateInit2(&decoder->z, 16 + MAX_WBITS) == Z_OK; break;
        case PL_HTTP_DEFLATE: ready = inflateInit(&decoder->z) == Z_OK; break;
        case PL_HTTP_BROTLI:
                decoder->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
                ready = decoder->brotli != NULL;
                break;
        case PL_HTTP_IDENTITY:
        case PL_HTTP_UNKNOWN_CODING: break;
        }
        if (!ready) {
                free(decoder);
                return -ENOMEM;
        }
        *ret = decoder;
        return 0;
}

void pl_http_decoder_free(struct pl_http_decoder *decoder)
{
        if (!decoder)
                return;
        if (decoder->brotli)
                BrotliDecoderDestroyInstance(decoder->brotli);
        else
                inflateEnd(&decoder->z);
        free(decoder);
}

bool pl_http_decoder_ended(const struct pl_http_decoder *decoder)
{
        return decoder->ended || !decoder->started;
}

/* "deflate" is to be zlib's format, but some servers send the bare stream: tell by the first byte, as browsers do. */
static void choose_deflate(struct pl_http_decoder *decoder, const uint8_t *data)
{
        if ((data[0] & 0x0f) != Z_DEFLATED)
                inflateReset2(&decoder->z, -MAX_WBITS);
}

static int inflate_some(struct pl_http_decoder *decoder, pl_http_take take, void *arg)
{
        z_stream *z = &decoder->z;

        do {
                int result;
                int r;

                z->next_out = decoder->chunk;
                z->avail_out = CHUNK_BYTES;
                result = inflate(z, Z_NO_FLUSH);
                if (result == Z_MEM_ERROR)
                        return -ENOMEM;
                if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
                        return -EBADMSG;
                r = z->avail_out < CHUNK_BYTES ? take(arg, decoder->chunk, CHUNK_BYTES - z->avail_out) : 0;
                if (r < 0)
                        return r;
                if (result == Z_STREAM_END) {
                        decoder->ended = true;
                        return 0;
                }
        } while (z->avail_in || !z->avail_out);
        return 0;
}

static int feed_zlib(struct pl_http_decoder *decoder, const uint8_t *data, size_t bytes, pl_http_take take, void *arg)
{
        z_stream *z = &decoder->z;

        while (bytes) {
                uInt some = bytes > UINT_MAX ? UINT_MAX : (uInt)bytes;
                int r;

                if (decoder->ended) { /* gzip allows one member after another; anything else is damage */
                        if (decoder->coding != PL_HTTP_GZIP || inflateReset(z) != Z_OK)
                                return -EBADMSG;
                        decoder->ended = false;
                }
                z->next_in = data;
                z->avail_in = some;
                r = inflate_some(decoder, take, arg);
                if (r < 0)
                        return r;
                data += some - z->avail_in;
                bytes -= some - z->avail_in;
        }
        return 0;
}

static int feed_brotli(struct pl_http_decoder *decoder, const uint8_t *data, size_t bytes, pl_http_take take, void *arg)
{
        BrotliDecoderResult result;

        if (decoder->ended)
                return -EBADMSG;
        do {
                uint8_t *out = decoder->chunk;
                size_t room = CHUNK_BYTES;
                int r;

                result = BrotliDecoderDecompressStream(decoder->brotli, &bytes, &data, &room, &out, NULL);
                if (result == BROTLI_DECODER_RESULT_ERROR)
                        return -EBADMSG;
                r = room < CHUNK_BYTES ? take(arg, decoder->chunk, CHUNK_BYTES - room) : 0;
                if (r < 0)
                        return r;
        } while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
        decoder->ended = result == BROTLI_DECODER_RESULT_SUCCESS;
        return decoder->ended && bytes ? -EBADMSG : 0;
}

int pl_http_decoder_feed(struct pl_http_decoder *decoder, const void *data, size_t bytes, pl_http_take take, void *arg)
{
        if (!bytes)
                return 0;
        if (!decoder->started && decoder->coding == PL_HTTP_DEFLATE)
                choose_deflate(decoder, data);
        decoder->started = true;
        if (decoder->brotli)
                return feed_brotli(decoder, data, bytes, take, arg);
        return feed_zlib(decoder, data, bytes, take, arg);
}
