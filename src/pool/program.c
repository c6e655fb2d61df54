/*
 * How this program is started anew. Mostly it is /proc/self/exe; but of `/lib64/ld-linux-x86-64.so.2 ./program` that is
 * the dynamic linker, which takes itself and its options off the arguments before anybody sees them. The kernel still
 * shows them in /proc/self/cmdline, so what is there before the program's is how it has to be called again.
 */
#include "pool/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "pool/module.h"

static int own_arguments;

void pl_program_note(int argc)
{
        own_arguments = argc;
}

/* All arguments, each with its 0; NULL: they cannot be read. */
static char *read_arguments(size_t *ret_bytes)
{
        int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
        size_t bytes = 0, room = 0;
        char *text = NULL;
        ssize_t n = fd < 0 ? -1 : 1;

        while (n > 0) {
                if (bytes == room) {
                        char *more = realloc(text, room = room * 2 + 4096);

                        if (!more)
                                break;
                        text = more;
                }
                n = read(fd, text + bytes, room - bytes);
                bytes += n > 0 ? (size_t)n : 0;
        }
        if (fd >= 0)
                close(fd);
        if (n == 0 && bytes > 0 && text[bytes - 1] == '\0') {
                *ret_bytes = bytes;
                return text;
        }
        free(text);
        return NULL;
}

/* How many there are before the program's own. */
static size_t count_others(const char *text, size_t bytes)
{
        size_t n = 0;

        for (size_t i = 0; i < bytes; i++)
                n += text[i] == '\0';
        return n > (size_t)own_arguments ? n - (size_t)own_arguments : 0;
}

/* The first *n* of *text*, and then *last*. */
static char **make_list(const char *text, size_t n, const char *last)
{
        size_t bytes = 0;

        for (size_t i = 0; i < n; i++)
                bytes += strlen(text + bytes) + 1;
        size_t last_bytes = strlen(last) + 1;
        char **list = malloc((n + 2) * sizeof *list + bytes + last_bytes);
        if (!list)
                return NULL;
        char *to = (char *)(list + n + 2);
        memcpy(to, text, bytes);
        memcpy(to + bytes, last, last_bytes);
        for (size_t i = 0; i <= n; i++, to += strlen(to) + 1)
                list[i] = to;
        list[n + 1] = NULL;
        return list;
}

int pl_program_arguments(char ***ret)
{
        char *text = NULL, *file = NULL;
        size_t bytes = 0, others = 0;

        /* Whom the kernel has given no interpreter is the dynamic linker, or needs none. */
        if (!getauxval(AT_BASE) && own_arguments > 0)
                text = read_arguments(&bytes);
        if (text)
                others = count_others(text, bytes);
        if (others)
                file = pl_pool_mapped_file((uintptr_t)getauxval(AT_PHDR));
        *ret = file ? make_list(text, others, file) : make_list("", 0, program_invocation_name);
        free(file);
        free(text);
        return *ret ? 0 : -ENOMEM;
}
