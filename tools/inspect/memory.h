/*
 * The memory of a program that is looked at from outside: a live process, which is neither stopped nor made to run
 * anything, or a core file.
 */
#ifndef INSPECT_MEMORY_H
#define INSPECT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What went wrong, for people: complete sentences without the program's name. */
struct inspect_error {
        char text[512];
};

__attribute__((format(printf, 2, 3))) void inspect_explain(struct inspect_error *error, const char *format, ...);

/* Say what went wrong; the result is -1. */
#define inspect_fail(error, ...) (inspect_explain((error), __VA_ARGS__), -1)

/* A range of the program's addresses that a file stands behind. */
struct inspect_mapping {
        uint64_t start, end;
        uint64_t offset; /* in the file */
        char *path;
};

/* One thing to be read. */
struct inspect_piece {
        uint64_t address;
        void *to;
        size_t bytes;
        bool ok; /* it was read, whole */
};

/* Where a thread stands, if that can be told without stopping it. */
struct inspect_registers {
        uint64_t sp, fp, pc;
        bool has_fp;
};

struct core;

struct inspect_memory {
        pid_t pid; /* of a live process; of a core file: the one that it is of */
        bool live;
        _Atomic int mem_fd;               /* /proc/PID/mem, where process_vm_readv() is not to be had; -1: not open */
        char command[64];                 /* the program's name */
        struct inspect_mapping *mappings; /* by address */
        size_t n_mappings;
        struct core *core;
};

/* Open a process by its number, or a core file by its name. 0, or -1 with *error* filled in. */
int inspect_memory_open(struct inspect_memory *memory, const char *target, struct inspect_error *error);
void inspect_memory_close(struct inspect_memory *memory);

/* Read *bytes* at *address*; false: they are not there, or the process is gone. Several threads may read at a time. */
bool inspect_read(struct inspect_memory *memory, uint64_t address, void *to, size_t bytes);

/* Read many pieces with few system calls. */
void inspect_read_all(struct inspect_memory *memory, struct inspect_piece *pieces, size_t count);

/* Where thread *tid* stands: of a live process only when it is in a system call. */
bool inspect_thread_registers(struct inspect_memory *memory, uint32_t tid, struct inspect_registers *ret);

/* Whether the process is still there. */
bool inspect_is_alive(const struct inspect_memory *memory);

/* Seconds since the epoch when the core file was written; 0 for a live process. */
int64_t inspect_core_time(const struct inspect_memory *memory);

/* The descriptor of a core file, -1 for a live process. */
int inspect_core_fd(const struct inspect_memory *memory);

/* --- process.c --- */
int inspect_process_open(struct inspect_memory *memory, const char *pid, struct inspect_error *error);
bool inspect_process_registers(pid_t pid, uint32_t tid, struct inspect_registers *ret);
int inspect_explain_refusal(pid_t pid, struct inspect_error *error);

/* --- core.c --- */
int inspect_core_open(struct inspect_memory *memory, const char *path, struct inspect_error *error);
void inspect_core_close(struct core *core);
size_t inspect_core_read(struct core *core, uint64_t address, void *to, size_t bytes);
bool inspect_core_registers(const struct core *core, uint32_t tid, struct inspect_registers *ret);

#endif
