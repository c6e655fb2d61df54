/*
 * How this program is started anew.
 */
#ifndef PL_POOL_PROGRAM_H
#define PL_POOL_PROGRAM_H

#include "base/attributes.h"

/* Before main(), with what that is going to get. */
void pl_program_note(int argc);

/*
 * The arguments with which /proc/self/exe is this program again, without its own: its name; or, if somebody has called
 * the dynamic linker by hand, that one's options and the program's file. One allocation, freed with free(). 0; -ENOMEM.
 */
PL_WARN_UNUSED int pl_program_arguments(char ***ret);

#endif
