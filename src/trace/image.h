/*
 * The shared memory that a process' rings are in (struct pl_trace_image): made, mapped, found after a crash.
 *
 * It is a file of /dev/shm, named after the recording's id: there, writing never waits for a disk. Where that has no
 * room it is a file beside the recording. Its memory is reserved when it is made, so that no write can fail.
 */
#ifndef PL_TRACE_IMAGE_H
#define PL_TRACE_IMAGE_H

#include "trace/ring.h"

enum { PL_TRACE_IMAGE_PATH_BYTES = PL_TRACE_PATH_BYTES + 32 };

/* Where one is. */
enum pl_trace_place {
        PL_TRACE_NOWHERE,
        PL_TRACE_IN_SHM,
        PL_TRACE_BESIDE,
};

struct pl_trace_mapping {
        int fd; /* -1: there is none */
        enum pl_trace_place place;
        struct pl_trace_image *image;
        char *names;
        uint64_t bytes; /* of the file so far */
        char path[PL_TRACE_IMAGE_PATH_BYTES];
};

/* The name of the image of process *pid* with *id*, a part of the recording at *path*. */
void pl_trace_image_path(char buf[PL_TRACE_IMAGE_PATH_BYTES], enum pl_trace_place place, const char *path, uint32_t pid,
                         const uint8_t id[PL_TRACE_ID_BYTES]);

/* A new one. 0 or a negative errno. */
PL_WARN_UNUSED int pl_trace_image_make(struct pl_trace_mapping *ret, const char *path,
                                       const uint8_t id[PL_TRACE_ID_BYTES]);

/* Remove it. The slots stay mapped. */
void pl_trace_image_remove(struct pl_trace_mapping *mapping);

/* Of a child: forget it. */
void pl_trace_image_forget(struct pl_trace_mapping *mapping);

/*
 * Put the memory of a slot for *events* events at slot *index* into the image, and map it at *at* (NULL: anywhere).
 * 0 and its address in *ret*, or a negative errno.
 */
PL_WARN_UNUSED int pl_trace_image_slot(struct pl_trace_mapping *mapping, unsigned index, uint64_t events, void *at,
                                       void **ret);

/* Put memory that nobody else sees in place of a slot's; the slot itself stays as it is, its events do not. */
void pl_trace_image_unshare(void *slot, uint64_t events);

static inline size_t pl_trace_slot_bytes(uint64_t events)
{
        size_t bytes = (size_t)events * sizeof(struct pl_trace_event);

        return PL_TRACE_PAGE + (bytes + PL_TRACE_PAGE - 1) / PL_TRACE_PAGE * PL_TRACE_PAGE;
}

/* Whether the process that made it is still there, and has not gone on to another program. It holds a lock on the file.
 */
bool pl_trace_image_is_live(int fd);

/* Remove images of processes that are gone: those of the recording at *path*, and those of recordings that are, too. */
void pl_trace_image_sweep(const char *path);

#endif
