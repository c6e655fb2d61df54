/*
 * Makes a system call fail for the rest of a case, as a container's filter does:
 *
 *         test_deny(SYS_io_uring_setup, EPERM);
 *
 * It holds for this process, its threads (those that start later) and what it executes.
 */
#ifndef HARNESS_DENY_H
#define HARNESS_DENY_H

#include <sys/syscall.h>

/* Skips the case where filters cannot be had (qemu-user). */
void test_deny(long number, int error);

#endif
