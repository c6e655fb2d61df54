/* The event of trace_lttng.c, as LTTng-UST wants it declared. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER plait_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./trace_lttng.h"

#if !defined(BENCH_TRACE_LTTNG_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define BENCH_TRACE_LTTNG_H

#include <lttng/tracepoint.h>

/* clang-format off */
LTTNG_UST_TRACEPOINT_EVENT(plait_bench, event,
        LTTNG_UST_TP_ARGS(int64_t, value),
        LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int64_t, value, value)))
/* clang-format on */

#endif

#include <lttng/tracepoint-event.h>
