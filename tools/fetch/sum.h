/*
 * SHA-256: file names are made of it, and the journal's lines are guarded by it.
 */
#ifndef FETCH_SUM_H
#define FETCH_SUM_H

#include <stddef.h>

#define SUM_BYTES 32

void sum_of_text(const char *text, size_t bytes, unsigned char sum[SUM_BYTES]);

#endif
