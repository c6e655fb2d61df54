/*
 * The file that a page is written to.
 */
#include "trace/page_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* As fopencookie() wants it: how much was written; 0: it failed. */
static ssize_t put(void *cookie, const char *data, size_t size)
{
        struct page_file *file = cookie;
        size_t done = 0;

        while (done < size && !file->error) {
                ssize_t n = write(file->fd, data + done, size - done);

                if (n >= 0)
                        done += (size_t)n;
                else if (errno != EINTR)
                        file->error = -errno;
        }
        file->bytes += done;
        return (ssize_t)done;
}

int page_file_open(struct page_file *file, const char *path)
{
        *file = (struct page_file){.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
        if (file->fd < 0)
                return -errno;
        file->stream = fopencookie(file, "w", (cookie_io_functions_t){.write = put});
        if (!file->stream) {
                close(file->fd);
                return -ENOMEM;
        }
        return 0;
}

int page_file_close(struct page_file *file)
{
        if (fclose(file->stream) != 0 && !file->error)
                file->error = -EIO;
        if (close(file->fd) < 0 && !file->error)
                file->error = -errno;
        return file->error;
}
