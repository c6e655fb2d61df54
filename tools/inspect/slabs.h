/*
 * Walking a program's slabs, from outside.
 */
#ifndef INSPECT_SLABS_H
#define INSPECT_SLABS_H

#include "inspect/program.h"

/* A slab, some of whose objects were ever used. */
struct slab {
        uint64_t address; /* of the first object */
        size_t count;     /* of those objects */
        size_t before;    /* such objects in the slabs before it */
};

/* The slabs of a pool. */
struct slab_list {
        struct slab *slabs;
        size_t n;
        size_t stride;  /* from one object to the next */
        size_t objects; /* in all slabs */
};

/* A slab that is visited. */
struct slab_view {
        uint64_t address; /* of the first object */
        char *objects;    /* a copy of them */
        char *again;      /* room for another copy */
        size_t count, stride;
};

/*
 * The slabs of the pool at address *pool*, whose objects have at least *bytes* bytes each. False: the program is not
 * what it says it is, or gone, or there is no memory.
 */
bool inspect_list_slabs(struct inspect_program *program, const void *pool, size_t bytes, struct slab_list *ret);
void inspect_slabs_done(struct slab_list *list);

/*
 * Call *visit* for the slabs [from, to) of the list, until it returns false. False: the program is gone or damaged, or
 * there is no memory (visit's result aside).
 */
bool inspect_walk_slabs(struct inspect_program *program, const struct slab_list *list, size_t from, size_t to,
                        bool (*visit)(const struct slab_view *slab, void *arg), void *arg);

#endif
