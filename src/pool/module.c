/*
 * Modules: numbers for the program and the libraries of this process, and finding another process's here.
 *
 * The lock guards the table; entries are added, never changed. A library that is unloaded keeps its number; loaded
 * again, it gets a new one if it lies elsewhere or is another file.
 */
#include "pool/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plat/lock.h"

struct known {
        uintptr_t start, end;
        uintptr_t base; /* what its program headers are relative to */
        struct pl_pool_module module;
};

static struct pl_lock lock;
static struct known *table[PL_MODULES_MOST];
static uint32_t n_known;

/* --- identity --- */

static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
        const unsigned char *bytes = data;

        for (size_t i = 0; i < n; i++)
                hash = (hash ^ bytes[i]) * 0x100000001b3; /* FNV-1a */
        return hash;
}

static uint64_t identity_of(const struct dl_phdr_info *info)
{
        uint64_t hash = 0xcbf29ce484222325;

        for (unsigned i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *header = &info->dlpi_phdr[i];

                hash = mix(hash, header, sizeof *header);
                if (header->p_type == PT_NOTE && header->p_memsz < 1 << 16)
                        hash = mix(hash, (const void *)(info->dlpi_addr + header->p_vaddr), header->p_memsz);
        }
        return hash;
}

static void extent_of(const struct dl_phdr_info *info, uintptr_t *ret_start, uintptr_t *ret_end)
{
        uintptr_t start = UINTPTR_MAX, end = 0;

        for (unsigned i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *header = &info->dlpi_phdr[i];
                uintptr_t at = info->dlpi_addr + header->p_vaddr;

                if (header->p_type != PT_LOAD)
                        continue;
                if (at < start)
                        start = at;
                if (at + header->p_memsz > end)
                        end = at + header->p_memsz;
        }
        *ret_start = start;
        *ret_end = end;
}

/* --- naming a module of this process --- */

char *pl_pool_mapped_file(uintptr_t address)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        char *line = NULL, *path = NULL;
        size_t room = 0;

        while (maps && !path && getline(&line, &room, maps) > 0) {
                char *rest;
                uintptr_t start = strtoumax(line, &rest, 16);
                uintptr_t end = *rest == '-' ? strtoumax(rest + 1, &rest, 16) : 0;

                rest = strchr(rest, '/');
                if (address < start || address >= end || !rest)
                        continue;
                rest[strcspn(rest, "\n")] = '\0';
                path = strdup(rest);
        }
        free(line);
        if (maps)
                fclose(maps);
        return path;
}

/* A name that is relative means something else in another folder: workers', or this process's by now. */
static char *path_of(const char *name, uintptr_t address)
{
        if (*name == '/')
                return realpath(name, NULL);
        return *name ? pl_pool_mapped_file(address) : NULL; /* the program's is empty, here and in the other process */
}

struct finding {
        uintptr_t address;
        struct known *known; /* filled in when found */
        bool found;
};

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
        struct finding *finding = arg;
        struct known *known = finding->known;

        (void)size;
        extent_of(info, &known->start, &known->end);
        if (finding->address < known->start || finding->address >= known->end)
                return 0;
        known->base = info->dlpi_addr;
        known->module.identity = identity_of(info);
        char *path = path_of(info->dlpi_name, finding->address);
        snprintf(known->module.path, sizeof known->module.path, "%s", path ? path : info->dlpi_name);
        free(path);
        finding->found = true;
        return 1;
}

static bool covers(const struct known *known, const struct dl_find_object *object, uintptr_t address)
{
        return address >= known->start && address < known->end &&
               (uintptr_t)object->dlfo_link_map->l_addr == known->base;
}

/* Add the module of *address*. With the lock. */
static int add(uintptr_t address, uint32_t *ret)
{
        struct finding finding = {.address = address};

        if (n_known == PL_MODULES_MOST)
                return -ENFILE;
        finding.known = calloc(1, sizeof *finding.known);
        if (!finding.known)
                return -ENOMEM;
        dl_iterate_phdr(look_at, &finding);
        if (!finding.found) {
                free(finding.known);
                return -EINVAL;
        }
        for (uint32_t i = n_known; i-- > 0;)
                if (table[i]->base == finding.known->base &&
                    table[i]->module.identity == finding.known->module.identity) {
                        free(finding.known);
                        *ret = i;
                        return 0;
                }
        table[n_known] = finding.known;
        *ret = n_known++;
        return 0;
}

int pl_pool_module_find(const void *address, struct pl_pool_code *ret)
{
        struct dl_find_object object;
        uint32_t module = UINT32_MAX;
        int r = 0;

        if (!address || _dl_find_object((void *)(uintptr_t)address, &object) != 0)
                return -EINVAL;
        pl_lock_acquire(&lock);
        for (uint32_t i = n_known; i-- > 0 && module == UINT32_MAX;)
                if (covers(table[i], &object, (uintptr_t)address))
                        module = i;
        if (module == UINT32_MAX)
                r = add((uintptr_t)address, &module);
        if (r == 0)
                *ret = (struct pl_pool_code){.module = module, .offset = (uintptr_t)address - table[module]->base};
        pl_lock_release(&lock);
        return r;
}

void pl_pool_module_describe(uint32_t module, struct pl_pool_module *ret)
{
        pl_lock_acquire(&lock);
        *ret = table[module]->module;
        pl_lock_release(&lock);
}

/* --- finding another process's module here --- */

struct search {
        const struct pl_pool_module *wanted;
        uintptr_t base;
        bool same_path; /* there is one of that name, of whatever identity */
        bool found;
};

static int compare(struct dl_phdr_info *info, size_t size, void *arg)
{
        struct search *search = arg;

        (void)size;
        if (strcmp(info->dlpi_name, search->wanted->path) == 0)
                search->same_path = true;
        if (identity_of(info) != search->wanted->identity)
                return 0;
        search->base = info->dlpi_addr;
        search->found = true;
        return 1;
}

int pl_pool_module_load(const struct pl_pool_module *module, uintptr_t *ret_base, char *why, size_t n)
{
        struct search search = {.wanted = module};

        dl_iterate_phdr(compare, &search);
        if (!search.found && *module->path && !search.same_path) {
                if (!dlopen(module->path, RTLD_NOW)) {
                        const char *error = dlerror();

                        snprintf(why, n, "%s", error ? error : module->path);
                        return -ELIBACC;
                }
                dl_iterate_phdr(compare, &search);
        }
        if (!search.found) {
                snprintf(why, n, "%s has been replaced by another file since",
                         *module->path ? module->path : "the program");
                return -ELIBBAD;
        }
        *ret_base = search.base;
        return 0;
}
