/*
 * Finding the registry in a program's memory: by the note that the object with plait's code carries.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/program.h"

enum {
        HEADERS_MOST = 64,      /* program headers of an object */
        NOTES_MOST = 64 * 1024, /* bytes of its notes */
};

struct object {
        const struct inspect_mapping *mapping; /* of its first page */
        uint64_t bias;                         /* what is added to the addresses in its headers */
        Elf64_Phdr headers[HEADERS_MOST];
        size_t n_headers;
};

/* The headers of the object whose file is mapped there from its beginning on. */
static bool read_object(struct inspect_memory *memory, const struct inspect_mapping *mapping, struct object *ret)
{
        Elf64_Ehdr head;

        if (mapping->offset != 0 || !inspect_read(memory, mapping->start, &head, sizeof head) ||
            memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
            head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum > HEADERS_MOST)
                return false;
        ret->mapping = mapping;
        ret->bias = 0;
        ret->n_headers = head.e_phnum;
        if (!inspect_read(memory, mapping->start + head.e_phoff, ret->headers, head.e_phnum * sizeof(Elf64_Phdr)))
                return false;
        for (size_t i = 0; i < ret->n_headers; i++)
                if (ret->headers[i].p_type == PT_LOAD && ret->headers[i].p_offset == 0) {
                        ret->bias = mapping->start - ret->headers[i].p_vaddr;
                        return true;
                }
        return false;
}

/* The address of the registry that a note in [notes, + bytes) leads to, which stand at *address*; 0: none does. */
static uint64_t search_notes(const char *notes, uint64_t bytes, uint64_t address)
{
        uint64_t at = 0;

        while (at + sizeof(Elf64_Nhdr) <= bytes) {
                Elf64_Nhdr note;
                int64_t distance;

                memcpy(&note, notes + at, sizeof note);
                uint64_t name = at + sizeof note;
                uint64_t content = name + ((note.n_namesz + 3ULL) & ~3ULL);
                if (content > bytes || note.n_descsz > bytes - content)
                        return 0;
                if (note.n_type == PLAIT_REGISTRY_NOTE && note.n_namesz == sizeof "plait" &&
                    memcmp(notes + name, "plait", sizeof "plait") == 0 && note.n_descsz == sizeof distance) {
                        memcpy(&distance, notes + content, sizeof distance);
                        return address + content + (uint64_t)distance;
                }
                at = (content + note.n_descsz + 3) & ~3ULL;
        }
        return 0;
}

static uint64_t search_object(struct inspect_memory *memory, const struct object *object)
{
        static char notes[NOTES_MOST];

        for (size_t i = 0; i < object->n_headers; i++) {
                const Elf64_Phdr *header = &object->headers[i];
                uint64_t address = object->bias + header->p_vaddr;

                if (header->p_type != PT_NOTE || header->p_memsz > sizeof notes ||
                    !inspect_read(memory, address, notes, header->p_memsz))
                        continue;
                uint64_t registry = search_notes(notes, header->p_memsz, address);
                if (registry)
                        return registry;
        }
        return 0;
}

static int check(const struct inspect_memory *memory, const struct plait_registry *registry, const char *path,
                 struct inspect_error *error)
{
        if (memcmp(registry->magic, PLAIT_REGISTRY_MAGIC, sizeof PLAIT_REGISTRY_MAGIC) != 0)
                return inspect_fail(error, "the registry in %s is damaged", path);
        if (registry->version != PLAIT_REGISTRY_VERSION)
                return inspect_fail(error,
                                    "%s uses plait %.15s (registry %u), and this is plait %s, which reads registry %u: "
                                    "use the plait command of the same version as the library",
                                    memory->command, registry->library, registry->version, PLAIT_VERSION,
                                    PLAIT_REGISTRY_VERSION);
        return 0;
}

/* Members that an older library does not have yet read as zero: no such member. */
static int read_registry(struct inspect_memory *memory, uint64_t address, const char *path, struct plait_registry *ret,
                         struct inspect_error *error)
{
        struct plait_registry registry = {0};
        const size_t head = offsetof(struct plait_registry, run);

        if (!inspect_read(memory, address, &registry, head))
                return inspect_fail(error, "the registry in %s cannot be read", path);
        int r = check(memory, &registry, path, error);
        if (r < 0)
                return r;
        size_t bytes = registry.size < sizeof registry ? registry.size : sizeof registry;
        if (bytes < head || !inspect_read(memory, address, &registry, bytes))
                return inspect_fail(error, "the registry in %s cannot be read", path);
        *ret = registry;
        return 0;
}

/*
 * The file of plait's code may be mapped a second time, as data: by a program that records itself, for the names of its
 * functions. There the note leads into that same mapping, or to no registry; it is looked on.
 */
int inspect_find_registry(struct inspect_memory *memory, struct plait_registry *ret, struct inspect_error *error)
{
        bool readable = false;
        int r = 0;

        for (size_t i = 0; i < memory->n_mappings; i++) {
                const struct inspect_mapping *mapping = &memory->mappings[i];
                struct object object;

                if (!read_object(memory, mapping, &object))
                        continue;
                readable = true;
                uint64_t address = search_object(memory, &object);
                if (address && (address < mapping->start || address >= mapping->end)) {
                        r = read_registry(memory, address, mapping->path, ret, error);
                        if (r == 0)
                                return 0;
                }
        }
        if (r < 0 && (!memory->live || inspect_is_alive(memory)))
                return r;
        if (memory->live && !inspect_is_alive(memory))
                return inspect_fail(error, "process %d has ended", memory->pid);
        if (!readable && memory->live)
                return inspect_explain_refusal(memory->pid, error);
        if (!memory->n_mappings)
                return inspect_fail(error, "the core file does not tell which files the program was made of (it has no "
                                           "NT_FILE note, or is damaged)");
        if (!readable)
                return inspect_fail(error, "the core file holds none of the program's objects, and the files that it "
                                           "was made of are not there");
        return memory->live ? inspect_fail(error, "process %d (%s) does not use plait", memory->pid, memory->command)
                            : inspect_fail(error, "the core file is of %s, which does not use plait", memory->command);
}
