/*
 * Core files: what was in memory, and where the threads stood. Whatever the file says is checked before it is used.
 */
#include "inspect/memory.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

struct segment {
        uint64_t start, end; /* what of it is in the file */
        uint64_t offset;
};

struct thread {
        uint32_t tid;
        struct inspect_registers registers;
};

enum { NOT_OPENED = -1, NOT_THERE = -2 };

struct core {
        int fd;
        const char *file;
        uint64_t bytes;
        int64_t written;          /* seconds since the epoch */
        struct segment *segments; /* by address */
        size_t n_segments;
        struct thread *threads;
        size_t n_threads;
        struct inspect_memory *memory; /* for what was left out because the program's files have it */
        _Atomic int *files;            /* those, by mapping: a descriptor, or one of these: */
};

/* --- reading --- */

static const struct segment *find_segment(const struct core *core, uint64_t address)
{
        size_t low = 0;
        size_t high = core->n_segments;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct segment *segment = &core->segments[middle];

                if (address < segment->start)
                        high = middle;
                else if (address >= segment->end)
                        low = middle + 1;
                else
                        return segment;
        }
        return NULL;
}

/*
 * A mapping of the file would be slower: a million stacks lie far apart, so each would cost a page fault, and page
 * tables. And it would end in a signal if the file were cut meanwhile.
 */
static size_t read_segment(const struct core *core, uint64_t address, void *to, size_t bytes)
{
        const struct segment *segment = find_segment(core, address);

        if (!segment)
                return 0;
        if (bytes > segment->end - address)
                bytes = (size_t)(segment->end - address);
        ssize_t n = pread(core->fd, to, bytes, (off_t)(segment->offset + (address - segment->start)));
        return n > 0 ? (size_t)n : 0;
}

/* The file behind a mapping, which is opened when it is needed first. */
static int file_of(struct core *core, size_t mapping)
{
        int fd = atomic_load(&core->files[mapping]);

        if (fd != NOT_OPENED)
                return fd;
        int opened = open(core->memory->mappings[mapping].path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (atomic_compare_exchange_strong(&core->files[mapping], &fd, opened < 0 ? NOT_THERE : opened))
                return opened < 0 ? NOT_THERE : opened;
        if (opened >= 0)
                close(opened); /* another thread was quicker */
        return fd;
}

/* Pages that are as they are in the program's own files are not in a core file. */
static size_t read_mapped(struct core *core, uint64_t address, void *to, size_t bytes)
{
        struct inspect_memory *memory = core->memory;

        for (size_t i = 0; core->files && i < memory->n_mappings; i++) {
                const struct inspect_mapping *mapping = &memory->mappings[i];

                if (address < mapping->start || address >= mapping->end)
                        continue;
                int fd = file_of(core, i);
                if (fd < 0)
                        return 0;
                if (bytes > mapping->end - address)
                        bytes = (size_t)(mapping->end - address);
                ssize_t n = pread(fd, to, bytes, (off_t)(mapping->offset + (address - mapping->start)));
                return n > 0 ? (size_t)n : 0;
        }
        return 0;
}

size_t inspect_core_read(struct core *core, uint64_t address, void *to, size_t bytes)
{
        size_t done = 0;

        while (done < bytes) {
                size_t n = read_segment(core, address + done, (char *)to + done, bytes - done);

                if (n == 0)
                        n = read_mapped(core, address + done, (char *)to + done, bytes - done);
                if (n == 0)
                        break;
                done += n;
        }
        return done;
}

bool inspect_core_registers(const struct core *core, uint32_t tid, struct inspect_registers *ret)
{
        for (size_t i = 0; i < core->n_threads; i++)
                if (core->threads[i].tid == tid) {
                        *ret = core->threads[i].registers;
                        return true;
                }
        return false;
}

/* --- notes --- */

static void note_thread(struct core *core, const char *content, size_t bytes)
{
        struct elf_prstatus status;

        if (bytes < sizeof status)
                return;
        struct thread *grown = realloc(core->threads, (core->n_threads + 1) * sizeof *grown);
        if (!grown)
                return;
        core->threads = grown;
        memcpy(&status, content, sizeof status);
        struct thread *thread = &core->threads[core->n_threads++];
        *thread = (struct thread){.tid = (uint32_t)status.pr_pid, .registers = {.has_fp = true}};
#ifdef __x86_64__
        thread->registers.fp = status.pr_reg[4];
        thread->registers.pc = status.pr_reg[16];
        thread->registers.sp = status.pr_reg[19];
#else
        thread->registers.fp = status.pr_reg[29];
        thread->registers.sp = status.pr_reg[31];
        thread->registers.pc = status.pr_reg[32];
#endif
}

static void note_process(struct inspect_memory *memory, const char *content, size_t bytes)
{
        struct elf_prpsinfo info;

        if (bytes < sizeof info)
                return;
        memcpy(&info, content, sizeof info);
        memory->pid = info.pr_pid;
        snprintf(memory->command, sizeof memory->command, "%.*s", (int)sizeof info.pr_fname, info.pr_fname);
}

/* Numbers: how many, the page size, and start, end and page of each; then the names, one after the other. */
static void note_files(struct inspect_memory *memory, const char *content, size_t bytes)
{
        uint64_t head[2];

        if (bytes < sizeof head || memory->mappings)
                return;
        memcpy(head, content, sizeof head);
        if (head[0] == 0 || head[0] > (bytes - sizeof head) / 24)
                return;
        const char *name = content + sizeof head + head[0] * 24;
        const char *end = content + bytes;
        memory->mappings = calloc(head[0], sizeof *memory->mappings);
        for (uint64_t i = 0; memory->mappings && i < head[0]; i++) {
                const char *next = memchr(name, '\0', (size_t)(end - name));
                uint64_t place[3];

                if (!next)
                        return;
                memcpy(place, content + sizeof head + i * 24, sizeof place);
                char *path = strdup(name);
                if (!path)
                        return;
                memory->mappings[memory->n_mappings++] = (struct inspect_mapping){
                        .start = place[0], .end = place[1], .offset = place[2] * head[1], .path = path};
                name = next + 1;
        }
}

static void read_notes(struct inspect_memory *memory, const char *notes, uint64_t bytes)
{
        uint64_t at = 0;

        while (at + sizeof(Elf64_Nhdr) <= bytes) {
                Elf64_Nhdr note;

                memcpy(&note, notes + at, sizeof note);
                uint64_t name = at + sizeof note;
                uint64_t content = name + ((note.n_namesz + 3ULL) & ~3ULL);
                uint64_t end = content + note.n_descsz;
                if (end > bytes || content > bytes)
                        return;
                if (note.n_namesz == 5 && memcmp(notes + name, "CORE", 5) == 0) {
                        if (note.n_type == NT_PRSTATUS)
                                note_thread(memory->core, notes + content, note.n_descsz);
                        else if (note.n_type == NT_PRPSINFO)
                                note_process(memory, notes + content, note.n_descsz);
                        else if (note.n_type == NT_FILE)
                                note_files(memory, notes + content, note.n_descsz);
                }
                at = (end + 3) & ~3ULL;
        }
}

/* --- opening --- */

static int by_start(const void *a, const void *b)
{
        const struct segment *left = a;
        const struct segment *right = b;

        return left->start < right->start ? -1 : left->start > right->start;
}

static int map_file(struct core *core, const char *path, struct inspect_error *error)
{
        struct stat info;

        core->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (core->fd < 0)
                return inspect_fail(error, "cannot open '%s': %s", path, strerrordesc_np(errno));
        if (fstat(core->fd, &info) < 0 || !S_ISREG(info.st_mode))
                return inspect_fail(error, "'%s' is neither a process number nor a core file", path);
        core->bytes = (uint64_t)info.st_size;
        core->written = info.st_mtime;
        if (core->bytes < sizeof(Elf64_Ehdr))
                return inspect_fail(error, "'%s' is no core file: it is too short", path);
        void *file = mmap(NULL, core->bytes, PROT_READ, MAP_PRIVATE, core->fd, 0);
        if (file == MAP_FAILED)
                return inspect_fail(error, "cannot map '%s': %s", path, strerrordesc_np(errno));
        core->file = file;
        return 0;
}

static int check_head(const struct core *core, const Elf64_Ehdr *head, const char *path, struct inspect_error *error)
{
#ifdef __x86_64__
        const Elf64_Half machine = EM_X86_64;
#else
        const Elf64_Half machine = EM_AARCH64;
#endif
        if (memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
                return inspect_fail(error, "'%s' is no core file: it does not begin as ELF files do", path);
        if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB ||
            head->e_machine != machine)
                return inspect_fail(error, "'%s' is of another kind of machine than this one", path);
        if (head->e_type != ET_CORE)
                return inspect_fail(error,
                                    "'%s' is an ELF file, but no core file: give the number of the process, or "
                                    "the core file that it left",
                                    path);
        if (head->e_phentsize != sizeof(Elf64_Phdr) || head->e_phoff > core->bytes)
                return inspect_fail(error, "'%s' is damaged: its table of segments is not there", path);
        return 0;
}

/* With 65535 segments or more, their number stands in the first section header. */
static uint64_t count_segments(const struct core *core, const Elf64_Ehdr *head)
{
        Elf64_Shdr section;

        if (head->e_phnum != PN_XNUM)
                return head->e_phnum;
        if (core->bytes < sizeof section || head->e_shoff > core->bytes - sizeof section)
                return 0;
        memcpy(&section, core->file + head->e_shoff, sizeof section);
        return section.sh_info;
}

static int read_segments(struct inspect_memory *memory, const char *path, struct inspect_error *error)
{
        struct core *core = memory->core;
        Elf64_Ehdr head;

        memcpy(&head, core->file, sizeof head);
        int r = check_head(core, &head, path, error);
        if (r < 0)
                return r;
        uint64_t count = count_segments(core, &head);
        if (count == 0 || count > (core->bytes - head.e_phoff) / sizeof(Elf64_Phdr))
                return inspect_fail(error, "'%s' is damaged: its table of segments is not whole", path);
        core->segments = calloc(count, sizeof *core->segments);
        if (!core->segments)
                return inspect_fail(error, "out of memory");
        for (uint64_t i = 0; i < count; i++) {
                Elf64_Phdr segment;

                memcpy(&segment, core->file + head.e_phoff + i * sizeof segment, sizeof segment);
                if (segment.p_offset > core->bytes)
                        continue; /* the file has been cut */
                uint64_t there = core->bytes - segment.p_offset < segment.p_filesz ? core->bytes - segment.p_offset
                                                                                   : segment.p_filesz;
                if (segment.p_type == PT_NOTE)
                        read_notes(memory, core->file + segment.p_offset, there);
                if (segment.p_type != PT_LOAD || there == 0 || segment.p_vaddr + there < segment.p_vaddr)
                        continue;
                core->segments[core->n_segments++] = (struct segment){
                        .start = segment.p_vaddr, .end = segment.p_vaddr + there, .offset = segment.p_offset};
        }
        qsort(core->segments, core->n_segments, sizeof *core->segments, by_start);
        return 0;
}

int inspect_core_open(struct inspect_memory *memory, const char *path, struct inspect_error *error)
{
        struct core *core = calloc(1, sizeof *core);

        if (!core)
                return inspect_fail(error, "out of memory");
        core->fd = -1;
        core->memory = memory;
        memory->core = core;
        snprintf(memory->command, sizeof memory->command, "?");
        int r = map_file(core, path, error);
        if (r == 0)
                r = read_segments(memory, path, error);
        if (r < 0)
                return r;
        core->files = malloc((memory->n_mappings + 1) * sizeof *core->files);
        for (size_t i = 0; core->files && i < memory->n_mappings; i++)
                atomic_init(&core->files[i], NOT_OPENED);
        return 0;
}

void inspect_core_close(struct core *core)
{
        if (!core)
                return;
        if (core->file)
                munmap((void *)(uintptr_t)core->file, core->bytes);
        if (core->fd >= 0)
                close(core->fd);
        for (size_t i = 0; core->files && i < core->memory->n_mappings; i++)
                if (core->files[i] >= 0)
                        close(core->files[i]);
        free(core->files);
        free(core->segments);
        free(core->threads);
        free(core);
}

int64_t inspect_core_time(const struct inspect_memory *memory)
{
        return memory->core ? memory->core->written : 0;
}

int inspect_core_fd(const struct inspect_memory *memory)
{
        return memory->core ? memory->core->fd : -1;
}
