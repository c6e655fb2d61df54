/*
 * Which failures may pass, and when to try again.
 */
#ifndef FETCH_RETRY_H
#define FETCH_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include <plait/http.h>

#define RETRY_BASE_NS 500000000LL         /* the first wait is up to this, each later one up to twice the last */
#define RETRY_CAP_NS 30000000000LL        /* but no longer than this */
#define RETRY_AFTER_CAP_NS 120000000000LL /* nor longer than this when the server asks for more (Retry-After) */

/* Whether the same request may go well later. */
bool retry_is_useful(const struct plait_response *response);

/*
 * How long to wait after attempt number *attempt* (from 1): a random part of what exponential back-off says, and no
 * less than the server asks for. *seed* is changed.
 */
int64_t retry_wait_ns(unsigned attempt, int64_t retry_after_ns, uint64_t *seed);

#endif
