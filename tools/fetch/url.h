/*
 * URLs as the list gives them: are they any, and which host are they for?
 */
#ifndef FETCH_URL_H
#define FETCH_URL_H

#include <stddef.h>

#define URL_BYTES_MAX 8000 /* longer ones are refused: servers do the same */
#define URL_HOST_SIZE 288  /* of "host:port" with its NUL */

/*
 * Checks that *url* is an http: or https: URL and writes its "host:port" to *host*. Returns NULL, or why it is none:
 * a static text.
 */
const char *url_check(const char *url, char host[URL_HOST_SIZE]);

#endif
