/* Owning descriptors: what src/io's own makers of sockets use. */
#ifndef PL_IO_DESCRIPTOR_H
#define PL_IO_DESCRIPTOR_H

#include "base/attributes.h"

/* *fd*, now owned; or it is closed, and the error. */
PL_WARN_UNUSED int pl_io_own_or_close(int fd, unsigned flags);

/* The flags in the table for a socket of this kind. */
unsigned pl_io_socket_flags(int domain, int type);

#endif
