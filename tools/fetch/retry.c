/*
 * Which failures may pass, and when to try again.
 */
#include "fetch/retry.h"

static bool status_may_pass(int status)
{
        switch (status) {
        case 408: /* Request Timeout */
        case 425: /* Too Early */
        case 429: /* Too Many Requests */
        case 500: /* Internal Server Error */
        case 502: /* Bad Gateway */
        case 503: /* Service Unavailable */
        case 504: /* Gateway Timeout */ return true;
        default: return false;
        }
}

bool retry_is_useful(const struct plait_response *response)
{
        switch ((int)response->problem) {
        case PLAIT_HTTP_OK: return status_may_pass(response->status);
        case PLAIT_HTTP_TRUNCATED:
        case PLAIT_HTTP_NAME_FAILED:
        case PLAIT_HTTP_REFUSED:
        case PLAIT_HTTP_UNREACHABLE:
        case PLAIT_HTTP_RESET:
        case PLAIT_HTTP_CONNECT_TIMEOUT:
        case PLAIT_HTTP_FIRST_BYTE_TIMEOUT:
        case PLAIT_HTTP_STALL_TIMEOUT:
        case PLAIT_HTTP_TOTAL_TIMEOUT:
        case PLAIT_HTTP_ENCODING: return true;
        default: return false;
        }
}

/* splitmix64 */
static uint64_t draw(uint64_t *seed)
{
        uint64_t z = (*seed += 0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
}

int64_t retry_wait_ns(unsigned attempt, int64_t retry_after_ns, uint64_t *seed)
{
        int64_t most = RETRY_BASE_NS;

        for (unsigned i = 1; i < attempt && most < RETRY_CAP_NS; i++)
                most *= 2;
        if (most > RETRY_CAP_NS)
                most = RETRY_CAP_NS;
        int64_t wait = (int64_t)(draw(seed) % (uint64_t)most);
        if (retry_after_ns > RETRY_AFTER_CAP_NS)
                retry_after_ns = RETRY_AFTER_CAP_NS;
        /* Not all at the very moment that the server named. */
        if (wait < retry_after_ns)
                wait = retry_after_ns + wait % (RETRY_BASE_NS / 2);
        return wait;
}
