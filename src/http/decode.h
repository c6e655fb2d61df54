/*
 * Decoders of compressed bodies that know whether the stream has ended.
 *
 * libcurl could decode, but takes a compressed stream that ends too early for a whole one as long as the bytes on the
 * wire are as many as announced. So it hands over what it receives, and the decoding is done here.
 */
#ifndef PL_HTTP_DECODE_H
#define PL_HTTP_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "http/head.h"

struct pl_http_decoder; /* the implementation's own */

/* Takes decoded bytes. 0, or a negative errno, which ends the decoding. */
typedef int (*pl_http_take)(void *arg, const void *data, size_t bytes);

/* A decoder for *coding*, which is not identity. 0, -ENOMEM, or -EBADMSG for a coding that nobody knows. */
PL_WARN_UNUSED int pl_http_decoder_new(struct pl_http_decoder **ret, enum pl_http_coding coding);
void pl_http_decoder_free(struct pl_http_decoder *decoder);

/* Decode and hand on. 0, -EBADMSG: damaged, or something follows the end; -ENOMEM; or what *take* returned. */
PL_WARN_UNUSED int pl_http_decoder_feed(struct pl_http_decoder *decoder, const void *data, size_t bytes,
                                        pl_http_take take, void *arg);

/* Whether the stream has come to its end. One without a single byte counts: the body was empty. */
bool pl_http_decoder_ended(const struct pl_http_decoder *decoder);

#endif
