/*
 * A small file of the system's, read whole. These are in memory (/run, /etc): a plain read does not hold anybody up.
 */
#include "net/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t read_all(int fd, char *buffer, size_t room)
{
        size_t length = 0;
        ssize_t n = 1;

        while (length < room && n > 0) {
                n = read(fd, buffer + length, room - length);
                length += n > 0 ? (size_t)n : 0;
        }
        return length;
}

char *net_file_read(const char *path, size_t *ret_length, int64_t *ret_modified)
{
        struct stat status;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

        if (fd < 0)
                return NULL;
        char *text = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? malloc(NET_FILE_MAX + 1) : NULL;
        if (text) {
                *ret_length = read_all(fd, text, NET_FILE_MAX);
                text[*ret_length] = 0;
                if (ret_modified)
                        *ret_modified = status.st_mtim.tv_sec;
        }
        close(fd);
        return text;
}
