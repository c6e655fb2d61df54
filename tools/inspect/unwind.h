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

enum { TRAIL_MOST = 2 * STACK_MOST };

/*
 * What the way along a stack was found by. As long as the words that it read are the same, return addresses as they are
 * and frame pointers seen from the stack pointer, the way is the same.
 */
struct stack_trail {
        uint64_t pc; /* where it begins */
        uint64_t fp; /* less the stack pointer, if it counts */
        bool fp_counts;
        bool complete; /* all that it depends on is here */
        size_t reach;  /* how far from the stack pointer it read */
        size_t count;
        struct stack_word {
                uint32_t at; /* from the stack pointer */
                bool is_fp;  /* what counts is its distance from the stack pointer */
                uint64_t value;
        } words[TRAIL_MOST];
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

/*
 * The addresses on a stack, from *from* outwards; all but the first are return addresses. Returns how many. *ret_trail*
 * can then tell of another stack whether it is the same.
 */
size_t unwind(struct unwinder *unwinder, const struct inspect_registers *from, const struct stack_window *window,
              uint64_t *ret, size_t most, struct stack_trail *ret_trail);

/* Whether unwinding from *at* goes the same way, which the window has to be large enough to tell. */
bool stack_trail_fits(const struct stack_trail *trail, const struct inspect_registers *at,
                      const struct stack_window *window);

/* What stands at *address*; of a return address, the call before it. */
void unwinder_place(struct unwinder *unwinder, uint64_t address, bool is_return, struct place *ret);

/* The name of a variable or function that *address* is in, and how far in it that is; NULL: none. */
const char *unwinder_symbol(struct unwinder *unwinder, uint64_t address, uint64_t *ret_offset);

#endif
