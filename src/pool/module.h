/*
 * Code across processes: an address of code is a module (the program, or a library) and an offset in it. Where the
 * module lies may differ from process to process.
 *
 * A process gives its modules numbers, in the order in which it first names one. A worker that is told of a module
 * (pl_pool_module_describe()) finds its own copy of it, or loads it, and makes sure that it is the very same file.
 */
#ifndef PL_POOL_MODULE_H
#define PL_POOL_MODULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum { PL_MODULES_MOST = 1024, PL_MODULE_PATH_BYTES = 1000 };

/* A place in code, as it travels. */
struct pl_pool_code {
        uint32_t module;
        uint32_t reserved;
        uint64_t offset;
};

/* What identifies a module to another process; travels. */
struct pl_pool_module {
        uint64_t identity;               /* of its program headers and notes, the build ID among them */
        char path[PL_MODULE_PATH_BYTES]; /* "": the program */
};

/* Where the file lies that is mapped at *address*, for free(); NULL: nobody knows. */
char *pl_pool_mapped_file(uintptr_t address);

/* Where *address* is. 0; -EINVAL: not in a module; -ENOMEM, -ENFILE: there are too many. */
PL_WARN_UNUSED int pl_pool_module_find(const void *address, struct pl_pool_code *ret);

/* Describe the module with that number. */
void pl_pool_module_describe(uint32_t module, struct pl_pool_module *ret);

/*
 * In another process: where *module* lies here; it is loaded if need be. 0, and the address that offsets count from;
 * -ELIBACC: it cannot be loaded; -ELIBBAD: the file is another one. Then *why* says more.
 */
PL_WARN_UNUSED int pl_pool_module_load(const struct pl_pool_module *module, uintptr_t *ret_base, char *why, size_t n);

#endif
