/*
 * Live processes: their mappings, and why one may not be looked at.
 */
#include "inspect/memory.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first line of a file under /proc, without its newline. */
static bool first_line(const char *path, char *line, size_t size)
{
        FILE *file = fopen(path, "re");
        bool ok = file && fgets(line, (int)size, file);

        if (file)
                fclose(file);
        if (ok)
                line[strcspn(line, "\n")] = '\0';
        return ok;
}

static const char *user_name(uid_t uid, char *buffer, size_t size)
{
        struct passwd entry, *found = NULL;
        char room[1024];

        if (getpwuid_r(uid, &entry, room, sizeof room, &found) == 0 && found)
                snprintf(buffer, size, "%s", entry.pw_name);
        else
                snprintf(buffer, size, "user %u", (unsigned)uid);
        return buffer;
}

int inspect_explain_refusal(pid_t pid, struct inspect_error *error)
{
        char path[32], owner[64], scope[16];
        struct stat info;

        snprintf(path, sizeof path, "/proc/%d", pid);
        if (stat(path, &info) < 0)
                return inspect_fail(error, "there is no process %d", pid);
        if (geteuid() != 0 && info.st_uid != geteuid())
                return inspect_fail(error,
                                    "process %d may not be read: it belongs to %s. Run plait as that user, or as root",
                                    pid, user_name(info.st_uid, owner, sizeof owner));
        if (first_line("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof scope) && scope[0] != '0')
                return inspect_fail(error,
                                    "process %d may not be read: /proc/sys/kernel/yama/ptrace_scope is %s, which lets "
                                    "%s. Run plait as root (or with CAP_SYS_PTRACE)%s",
                                    pid, scope,
                                    scope[0] == '1' ? "only a parent look into its children"
                                                    : "nobody without CAP_SYS_PTRACE look into another process",
                                    scope[0] == '3' ? "; with 3 not even that helps, before the next boot"
                                                    : ", or set it to 0");
        return inspect_fail(error,
                            "process %d may not be read: the kernel refuses it (it has changed its user or "
                            "capabilities, is in another container, or a security module forbids it). "
                            "CAP_SYS_PTRACE in the process's user namespace is needed",
                            pid);
}

static bool add_mapping(struct inspect_memory *memory, const struct inspect_mapping *mapping)
{
        size_t n = memory->n_mappings;

        if ((n & (n - 1)) == 0) {
                struct inspect_mapping *grown = realloc(memory->mappings, (n ? 2 * n : 1) * sizeof *grown);

                if (!grown)
                        return false;
                memory->mappings = grown;
        }
        memory->mappings[memory->n_mappings++] = *mapping;
        return true;
}

/* "START-END PERMISSIONS OFFSET ..." */
static bool parse_mapping(const char *line, struct inspect_mapping *ret)
{
        char *at;

        ret->start = strtoull(line, &at, 16);
        if (*at != '-')
                return false;
        ret->end = strtoull(at + 1, &at, 16);
        if (strlen(at) < sizeof " rwxp ")
                return false;
        ret->offset = strtoull(at + strlen(" rwxp "), &at, 16);
        return *at == ' ' && ret->start < ret->end;
}

static bool read_mappings(struct inspect_memory *memory, FILE *maps)
{
        char *line = NULL;
        size_t size = 0;
        bool ok = true;

        while (ok && getline(&line, &size, maps) > 0) {
                struct inspect_mapping mapping = {0};

                const char *path = strchr(line, '/');

                if (!path || !parse_mapping(line, &mapping))
                        continue;
                mapping.path = strndup(path, strcspn(path, "\n"));
                ok = mapping.path && add_mapping(memory, &mapping);
                if (!ok)
                        free(mapping.path);
        }
        free(line);
        return ok;
}

int inspect_process_open(struct inspect_memory *memory, const char *pid, struct inspect_error *error)
{
        char path[48];
        char *end;

        errno = 0;
        long number = strtol(pid, &end, 10);
        if (errno || number <= 0 || number > INT32_MAX)
                return inspect_fail(error, "there is no process %s: that is no process number", pid);
        memory->pid = (pid_t)number;
        memory->live = true;
        if (kill(memory->pid, 0) < 0 && errno == ESRCH)
                return inspect_fail(error, "there is no process %s", pid);
        snprintf(path, sizeof path, "/proc/%d/comm", memory->pid);
        if (!first_line(path, memory->command, sizeof memory->command))
                snprintf(memory->command, sizeof memory->command, "?");
        snprintf(path, sizeof path, "/proc/%d/maps", memory->pid);
        FILE *maps = fopen(path, "re");
        if (!maps)
                return errno == ENOENT || errno == ESRCH ? inspect_fail(error, "there is no process %s", pid)
                                                         : inspect_explain_refusal(memory->pid, error);
        bool ok = read_mappings(memory, maps);
        int failure = ferror(maps) ? errno : 0;
        fclose(maps);
        if (!ok)
                return inspect_fail(error, "out of memory");
        if (failure)
                return inspect_explain_refusal(memory->pid, error);
        if (!memory->n_mappings)
                return inspect_fail(error, "process %s (%s) has no program: it is a thread of the kernel, or has ended",
                                    pid, memory->command);
        return 0;
}

/* A process that is being killed gives up its memory before it is seen to have ended. */
bool inspect_is_alive(const struct inspect_memory *memory)
{
        char path[48], state[512];

        if (!memory->live)
                return true;
        snprintf(path, sizeof path, "/proc/%d/statm", memory->pid);
        if (!first_line(path, state, sizeof state) || strncmp(state, "0 ", 2) == 0)
                return false;
        snprintf(path, sizeof path, "/proc/%d/stat", memory->pid);
        if (!first_line(path, state, sizeof state))
                return false;
        const char *after = strrchr(state, ')');
        return !after || (after[1] && after[2] != 'Z' && after[2] != 'X');
}

/* "NUMBER ARG... SP PC" in a system call, "-1 SP PC" when it is blocked in another way, "running". */
bool inspect_process_registers(pid_t pid, uint32_t tid, struct inspect_registers *ret)
{
        char path[64], line[256];

        snprintf(path, sizeof path, "/proc/%d/task/%u/syscall", pid, tid);
        if (!first_line(path, line, sizeof line) || !isdigit((unsigned char)line[0]))
                return false;
        const char *pc = strrchr(line, ' ');
        if (!pc)
                return false;
        const char *sp = pc - 1;
        while (sp > line && *sp != ' ')
                sp--;
        *ret = (struct inspect_registers){.sp = strtoull(sp, NULL, 16), .pc = strtoull(pc, NULL, 16)};
        return ret->sp != 0 && ret->pc != 0;
}
