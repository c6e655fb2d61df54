/*
 * Locks of files that belong to the open file, not to the process: a recording's, held by all who record into it, and
 * that of a process' rings. They end with the process at the latest.
 */
#ifndef PL_TRACE_FILE_LOCK_H
#define PL_TRACE_FILE_LOCK_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/attributes.h"

/* F_RDLCK or F_WRLCK; does not wait. 0 or a negative errno: -EAGAIN or -EACCES if somebody else has one. */
PL_WARN_UNUSED static inline int pl_trace_lock_file(int fd, short type)
{
        struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

        return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/*
 * Whether somebody else has one, or that cannot be said. It only asks: who took the lock to find out would look like
 * somebody who has it to the next one who asks.
 */
static inline bool pl_trace_file_is_locked(int fd)
{
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

        return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

#endif
