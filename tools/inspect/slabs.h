/*
 * Walking a program's slabs, from outside.
 */
#ifndef INSPECT_SLABS_H
#define INSPECT_SLABS_H

#include "inspect/program.h"

/* The objects of one slab that were ever used. */
struct slab_view {
        uint64_t address; /* of the first */
        char *objects;    /* a copy of them */
        char *again;      /* room for another copy */
        size_t count, stride;
};

/*
 * Call *visit* for each slab of the pool at address *pool*, whose objects have at least *bytes* bytes each, until it
 * returns false. False: the program is not what it says it is, or gone, or there is no memory (visit's result aside).
 */
bool inspect_walk_slabs(struct inspect_program *program, const void *pool, size_t bytes,
                        bool (*visit)(const struct slab_view *slab, void *arg), void *arg);

#endif
