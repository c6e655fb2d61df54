/*
 * SHA-256 by OpenSSL. The algorithm is looked up once: looking it up takes longer than the sum of a short text.
 */
#include "fetch/sum.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

static EVP_MD *algorithm;

static void look_up(void)
{
        algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void sum_of_text(const char *text, size_t bytes, unsigned char sum[SUM_BYTES])
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, look_up);
        if (!algorithm || EVP_Digest(text, bytes, sum, NULL, algorithm, NULL) != 1) {
                fprintf(stderr, "plait fetch: OpenSSL cannot make a SHA-256 sum: no memory, or its configuration "
                                "denies it\n");
                abort();
        }
}
