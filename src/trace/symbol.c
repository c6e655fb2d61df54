/*
 * What functions are called, for the names of tasks, and variables, for those of locks: from the symbol table of the
 * program or library that they are in, which lists static ones, too; functions else by what the dynamic linker knows.
 *
 * The recorder's thread only.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plat/unwind.h"
#include "trace/session.h"

enum { MODULES_MOST = 256 };

/* A program or library, as a file. */
struct module {
        uint64_t begin, end; /* where its code is loaded */
        uint64_t base;       /* what was added to the file's addresses */
        const uint8_t *file; /* NULL: it cannot be read */
        size_t bytes;
};

static struct {
        struct module list[MODULES_MOST];
        unsigned n;
} modules;

static void map_file(struct module *module, const char *path)
{
        int fd = open(*path ? path : "/proc/self/exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;

        if (fd < 0)
                return;
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > (off_t)sizeof(Elf64_Ehdr)) {
                void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

                if (at != MAP_FAILED) {
                        module->file = at;
                        module->bytes = (size_t)st.st_size;
                }
        }
        close(fd);
}

static int add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
        uint64_t address = *(const uint64_t *)arg;

        (void)size;
        for (unsigned i = 0; i < info->dlpi_phnum; i++) {
                const Elf64_Phdr *part = &info->dlpi_phdr[i];
                uint64_t begin = info->dlpi_addr + part->p_vaddr;

                if (part->p_type != PT_LOAD || address < begin || address - begin >= part->p_memsz)
                        continue;
                struct module *module = &modules.list[modules.n++];
                *module = (struct module){.begin = begin, .end = begin + part->p_memsz, .base = info->dlpi_addr};
                map_file(module, info->dlpi_name);
                return 1;
        }
        return 0;
}

static const struct module *module_of(uint64_t address)
{
        for (unsigned i = 0; i < modules.n; i++)
                if (address >= modules.list[i].begin && address < modules.list[i].end)
                        return &modules.list[i];
        if (modules.n == MODULES_MOST)
                return NULL;
        return dl_iterate_phdr(add_module, &address) ? &modules.list[modules.n - 1] : NULL;
}

/* *bytes* of the file at *offset*, if it has them. */
static const void *at(const struct module *module, uint64_t offset, uint64_t bytes)
{
        return offset <= module->bytes && bytes <= module->bytes - offset ? module->file + offset : NULL;
}

/* The symbol of *type* in the symbol table *table* that *address* (of the file) is in, *ret_offset* bytes into it. */
static const char *look_up(const struct module *module, const Elf64_Shdr *table, const Elf64_Shdr *strings,
                           uint64_t address, unsigned type, uint64_t *ret_offset)
{
        uint64_t n = table->sh_size / sizeof(Elf64_Sym);
        const Elf64_Sym *symbols = at(module, table->sh_offset, n * sizeof *symbols);
        const char *texts = at(module, strings->sh_offset, strings->sh_size);

        if (!symbols || !texts || !strings->sh_size || texts[strings->sh_size - 1])
                return NULL;
        for (uint64_t i = 0; i < n; i++) {
                const Elf64_Sym *symbol = &symbols[i];

                if ((symbol->st_info & 0xfU) != type || address < symbol->st_value ||
                    (address != symbol->st_value && address - symbol->st_value >= symbol->st_size) ||
                    symbol->st_name >= strings->sh_size || symbol->st_shndx == SHN_UNDEF)
                        continue;
                *ret_offset = address - symbol->st_value;
                return texts + symbol->st_name;
        }
        return NULL;
}

static const char *look_in(const struct module *module, uint64_t address, unsigned type, uint64_t *ret_offset)
{
        const Elf64_Ehdr *head = at(module, 0, sizeof *head);

        if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_shentsize != sizeof(Elf64_Shdr))
                return NULL;
        const Elf64_Shdr *sections = at(module, head->e_shoff, (uint64_t)head->e_shnum * sizeof *sections);
        if (!sections || head->e_shoff % _Alignof(Elf64_Shdr))
                return NULL;
        for (unsigned i = 0; i < head->e_shnum; i++) {
                const Elf64_Shdr *table = &sections[i];

                if (table->sh_type != SHT_SYMTAB || table->sh_link >= head->e_shnum ||
                    table->sh_offset % _Alignof(Elf64_Sym))
                        continue;
                const char *name = look_up(module, table, &sections[table->sh_link], address - module->base, type,
                                           ret_offset);
                if (name)
                        return name;
        }
        return NULL;
}

/* "function+0x0 (object+0x123)" without what is in parentheses; else all of it. */
static void ask_linker(uint64_t address, char *buf, size_t n)
{
        pl_plat_describe_data((const void *)(uintptr_t)address, buf, n);

        char *bracket = strstr(buf, " (");
        if (bracket)
                *bracket = '\0';
}

bool pl_trace_function_symbol(uint64_t address, char *buf, size_t n)
{
        const struct module *module = module_of(address);
        uint64_t offset;
        const char *name = module && module->file ? look_in(module, address, STT_FUNC, &offset) : NULL;

        if (name && *name)
                snprintf(buf, n, "%s", name);
        else
                ask_linker(address, buf, n);
        return true;
}

bool pl_trace_object_symbol(uint64_t address, char *buf, size_t n)
{
        const struct module *module = module_of(address);
        uint64_t offset = 0;
        const char *name = module && module->file ? look_in(module, address, STT_OBJECT, &offset) : NULL;

        if (!name || !*name)
                return false;
        if (offset)
                snprintf(buf, n, "%s+0x%llx", name, (unsigned long long)offset);
        else
                snprintf(buf, n, "%s", name);
        return true;
}

void pl_trace_symbols_done(void)
{
        for (unsigned i = 0; i < modules.n; i++)
                if (modules.list[i].file)
                        munmap((void *)(uintptr_t)modules.list[i].file, modules.list[i].bytes);
        modules.n = 0;
}
