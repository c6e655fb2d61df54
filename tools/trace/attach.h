/*
 * Recording a part of a program that runs already.
 */
#ifndef TRACE_ATTACH_H
#define TRACE_ATTACH_H

#include <stdint.h>
#include <sys/types.h>

struct attach {
        const char *pid;
        const char *recording; /* absolute */
        int64_t duration_ns;
        uint64_t ring_kib; /* 0: as is usual */
};

/* Records it that long, or until Ctrl-C or its end. 0; -1: that was not to be had, and *message* says why. */
int attach(const struct attach *attach, char *message, size_t size);

/* The name of the program, for a file's name. */
int attach_name(const char *pid, char *name, size_t size, char *message, size_t message_size);

#endif
