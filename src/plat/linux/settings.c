/* What the environment asks for, and the kernel's random numbers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "plat/sys.h"

static bool parse_u64(const char *text, uint64_t *ret)
{
        int saved = errno;
        char *end;
        unsigned long long n;

        if (*text < '0' || *text > '9')
                return false;
        errno = 0;
        n = strtoull(text, &end, 10);
        if (errno != 0 || *end != '\0') {
                errno = saved;
                return false;
        }
        errno = saved;
        *ret = n;
        return true;
}

bool pl_plat_env_u64(const char *name, uint64_t min, uint64_t max, uint64_t *ret)
{
        const char *text = secure_getenv(name);
        uint64_t n;

        if (!text || !*text)
                return false;
        if (!parse_u64(text, &n) || n < min || n > max) {
                pl_warn("%s=%.64s is ignored: it is not a whole number from %llu to %llu", name, text,
                        (unsigned long long)min, (unsigned long long)max);
                return false;
        }
        *ret = n;
        return true;
}

bool pl_plat_debug(const char *key, char *value, size_t value_bytes)
{
        const char *item = secure_getenv("PLAIT_DEBUG");
        size_t key_bytes = strlen(key);

        while (item && *item) {
                size_t n = strcspn(item, ",");

                if (n >= key_bytes && memcmp(item, key, key_bytes) == 0 && (n == key_bytes || item[key_bytes] == '=')) {
                        size_t from = n == key_bytes ? n : key_bytes + 1;

                        if (value && n - from >= value_bytes)
                                return false;
                        if (value) {
                                memcpy(value, item + from, n - from);
                                value[n - from] = '\0';
                        }
                        return true;
                }
                item += n + (item[n] == ',');
        }
        return false;
}

uint64_t pl_plat_random_u64(void)
{
        int saved = errno;
        uint64_t n = 0;

        if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != (ssize_t)sizeof(n)) {
                n = (uint64_t)pl_plat_now_ns() ^ (uint64_t)(uintptr_t)&n ^ pl_plat_ticks() << 32;
                n = (n ^ n >> 31) * UINT64_C(0x9e3779b97f4a7c15);
        }
        errno = saved;
        return n;
}
