/* Making, adopting, handing away and closing descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/call.h"
#include "io/descriptor.h"
#include "io/fd_table.h"
#include "plait/fd.h"

int pl_io_own_or_close(int fd, unsigned flags)
{
        int r = pl_io_fd_own(fd, flags);

        if (r < 0) {
                (void)pl_io_call_close(fd);
                return r;
        }
        return fd;
}

unsigned pl_io_socket_flags(int domain, int type)
{
        return PL_IO_SOCKET |
               ((domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_STREAM ? PL_IO_STREAM : 0U);
}

int plait_pipe(int ret_fds[2])
{
        int fds[2];
        int saved = errno;
        int r = pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;

        errno = saved;
        if (r == 0)
                r = pl_io_fd_own(fds[0], 0);
        else
                return r;
        if (r == 0)
                r = pl_io_fd_own(fds[1], 0);
        if (r < 0) {
                (void)plait_close(fds[0]);
                (void)pl_io_call_close(fds[1]);
                return r;
        }
        ret_fds[0] = fds[0];
        ret_fds[1] = fds[1];
        return 0;
}

int plait_close(int fd)
{
        return pl_io_fd_close(fd);
}

int plait_release(int fd)
{
        return pl_io_fd_drop(fd, PL_IO_DETACH);
}

int plait_adopt(int fd)
{
        struct stat status;
        unsigned flags = 0;
        int mode = pl_io_call_fcntl(fd, F_GETFL, 0);

        if (mode < 0)
                return mode;
        if (fstat(fd, &status) < 0)
                return -EBADF;
        if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode))
                return -EPERM;
        if (S_ISSOCK(status.st_mode))
                flags = pl_io_socket_flags(pl_io_call_getsockopt(fd, SOL_SOCKET, SO_DOMAIN),
                                           pl_io_call_getsockopt(fd, SOL_SOCKET, SO_TYPE));
        if (!(mode & O_NONBLOCK)) {
                int r = pl_io_call_fcntl(fd, F_SETFL, mode | O_NONBLOCK);

                if (r < 0)
                        return r;
        }
        return pl_io_fd_own(fd, flags);
}
