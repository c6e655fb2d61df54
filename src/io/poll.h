/* What waiting for several descriptors at once consists of; for poll.c and select.c. */
#ifndef PL_IO_POLL_H
#define PL_IO_POLL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "sched/wait.h"

enum { PL_IO_POLL_EVENTS = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

/* poll(2) without waiting, with the flags of owned descriptors cleared before and set after. In tasks. */
int pl_io_poll_look(struct pollfd *fds, size_t count);

/* Whether an owned descriptor is known not to be ready: a report will come, through whoever stands in its queue. */
bool pl_io_poll_unlikely(const struct pollfd *fd);

/*
 * In a task: have *wait* claimed through *node* when *fd* may be ready. 0; 1: it may be by now; or an error. In each
 * case the following two have to be called afterwards, the first for all of a wait's nodes before the second for any.
 */
PL_WARN_UNUSED int pl_io_poll_stand(struct pl_wait_node *node, const struct pollfd *fd, struct pl_wait *wait);

/* Leave the queue. True: plait_close() was called for *fd*. */
bool pl_io_poll_unqueue(struct pl_wait_node *node, int fd);

/* Let go of a descriptor that others may close. May suspend. */
void pl_io_poll_let_go(int fd);

#endif
