/*
 * Waiting for a word in memory that processes share. Only the kernel knows of sleepers in other processes, so somebody
 * has to sleep there: a plain thread does so itself, for a task a thread of the io layer does, and the task's worker
 * runs others meanwhile.
 */
#ifndef PL_POOL_SHARED_WORD_H
#define PL_POOL_SHARED_WORD_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/attributes.h"

/*
 * How long anybody sleeps at most before he looks around himself: another process may have been killed just when it was
 * to wake somebody, or while it held what is waited for.
 */
#define PL_POOL_SHARED_LOOK_NS INT64_C(50000000)

/* The low half of a word of 64 bits, which is what the kernel compares. */
static inline _Atomic uint32_t *pl_pool_shared_low(uint64_t *word)
{
        _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half is the first");
        return (_Atomic uint32_t *)(void *)word;
}

/*
 * Sleep while *word* is *expected*, for at most PL_POOL_SHARED_LOOK_NS. 0: go and look again; -ETIMEDOUT: *deadline_ns*
 * or the deadline of a scope has come; -ECANCELED. Not for compact tasks. A wake-up that reaches a sleeper whose task
 * has left is passed on to the next.
 */
PL_WARN_UNUSED int pl_pool_shared_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns);

#endif
