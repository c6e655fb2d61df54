/* Last words: one line on stderr, "plait: ...", written at once. */
#ifndef PL_PLAT_PANIC_H
#define PL_PLAT_PANIC_H

#include "base/attributes.h"

/* Say what is wrong, why and what to do, then abort(). Allocates nothing. */
PL_COLD PL_NORETURN PL_PRINTF(1, 2) void pl_panic(const char *format, ...);

/* The same, and go on. */
PL_COLD PL_PRINTF(1, 2) void pl_warn(const char *format, ...);

#endif
