/*
 * Stacks as lists of return addresses, of the caller and of suspended flows, read from the call frame information that
 * compilers leave for exceptions. No allocation, no lock, little stack: it can be used where a flow is about to wait.
 */
#ifndef PL_PLAT_UNWIND_H
#define PL_PLAT_UNWIND_H

#include <stdbool.h>
#include <stddef.h>

#include "plat/context.h"

/*
 * The frames of the flow that *from* describes, innermost first: addresses to go on at. Returns how many there are, at
 * most *most*; fewer than the flow has where a function has no frame information. *stable*: the stack cannot change or
 * go away meanwhile, and is read directly.
 */
unsigned pl_plat_unwind(const struct pl_context *from, bool stable, void **ret, unsigned most);

/*
 * Where the flow was that a signal has interrupted; *context* is what its handler was given. If that is nowhere, as
 * after a call of a null pointer: where it was called.
 */
void pl_plat_interrupted(const void *context, struct pl_context *ret);

/* "function+0x12 (program+0x3456)" for an address of code. */
void pl_plat_describe_code(const void *address, char *buf, size_t n);

/* The same for static data: "variable (program+0x4000)". */
void pl_plat_describe_data(const void *address, char *buf, size_t n);

/* Whether both are parts of the same program or library. */
bool pl_plat_same_object(const void *a, const void *b);

/* Whether *address* is in a program or library, as static data are. */
bool pl_plat_is_static(const void *address);

#endif
