/* Deadlines. */
#include "plait/time.h"

#include "plat/sys.h"

int64_t plait_now_ns(void)
{
        return pl_plat_now_ns();
}

int64_t plait_in_ns(int64_t ns)
{
        int64_t deadline_ns;

        if (ns <= 0)
                return 0;
        return __builtin_add_overflow(pl_plat_now_ns(), ns, &deadline_ns) ? PLAIT_NEVER : deadline_ns;
}

int64_t plait_in_ms(int64_t ms)
{
        int64_t ns;

        if (ms <= 0)
                return 0;
        return __builtin_mul_overflow(ms, 1000000, &ns) ? PLAIT_NEVER : plait_in_ns(ns);
}

int64_t plait_in_s(double seconds)
{
        double ns = seconds * 1e9;

        if (!(ns > 0))
                return 0;
        return ns >= 9.2e18 ? PLAIT_NEVER : plait_in_ns((int64_t)ns);
}
