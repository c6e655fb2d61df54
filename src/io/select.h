/* Cases of plait_select() that are about descriptors. */
#ifndef PL_IO_SELECT_H
#define PL_IO_SELECT_H

#include "sync/selectable.h"

extern const struct pl_select_watcher pl_io_select_watcher;

/* A case of *kind*, whose watcher is the one above. Negative *fd*: one that never happens. */
struct plait_case pl_io_select_case(int fd, short events, const struct plait_selectable *kind, void *object);

#endif
