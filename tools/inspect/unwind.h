/*
 * Stacks of suspended tasks: who called whom, and what these addresses are called. By the unwind tables of the files
 * that the program is made of, and where those say nothing along frame pointers.
 */
#ifndef INSPECT_UNWIND_H
#define INSPECT_UNWIND_H

#include "inspect/memory.h"

enum { STACK_MOST = 64 }; /* frames of a stack that are looked at */

struct unwinder;

/* What is known of a stack's memory already. */
struct stack_window {
        uint64_t address;
        const char *bytes;
        size_t count;
        bool whole; /* there is nothing but this */
};

/* A place in the program's code. */
struct place {
        const char *function; /* NULL: not known */
        uint64_t offset;      /* in it */
        const char *object;   /* the file that has the code; NULL: not known */
        const char *file;     /* of source; NULL: not known */
        int line;
};

/* NULL: no memory. It never fails for want of files: what cannot be known is not told. */
struct unwinder *unwinder_new(struct inspect_memory *memory);
void unwinder_free(struct unwinder *unwinder);

/* The addresses on a stack, from *from* outwards; all but the first are return addresses. Returns how many. */
size_t unwind(struct unwinder *unwinder, const struct inspect_registers *from, const struct stack_window *window,
              uint64_t *ret, size_t most);

/* What stands at *address*; of a return address, the call before it. */
void unwinder_place(struct unwinder *unwinder, uint64_t address, bool is_return, struct place *ret);

/* The name of a variable or function that *address* is in, and how far in it that is; NULL: none. */
const char *unwinder_symbol(struct unwinder *unwinder, uint64_t address, uint64_t *ret_offset);

#endif
