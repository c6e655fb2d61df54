/* What plait knows about each descriptor number: ownership, arming, and who waits. Invariants: see fd_table.h. */
#include "io/fd_table.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "io/call.h"
#include "io/watch.h"
#include "plat/sanitizer.h"
#include "plat/sys.h"
#include "sched/runtime.h"
#include "sched/task.h"

/* Any descriptor number has a place: chunks are mapped when a number in them is first used, and stay. */
enum { CHUNK_BITS = 12, CHUNK_ENTRIES = 1 << CHUNK_BITS, CHUNKS = 1 << (31 - CHUNK_BITS) };

static struct pl_io_fd *_Atomic chunks[CHUNKS];

static PL_COLD struct pl_io_fd *new_chunk(unsigned index)
{
        int saved = errno;
        struct pl_io_fd *chunk = mmap(NULL, CHUNK_ENTRIES * sizeof *chunk, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        struct pl_io_fd *before = NULL;

        errno = saved;
        if (chunk == MAP_FAILED)
                return NULL;
        if (atomic_compare_exchange_strong(&chunks[index], &before, chunk))
                return chunk;
        munmap(chunk, CHUNK_ENTRIES * sizeof *chunk);
        return before;
}

struct pl_io_fd *pl_io_fd_peek(int fd)
{
        if (fd < 0)
                return NULL;

        struct pl_io_fd *chunk = atomic_load_explicit(&chunks[fd >> CHUNK_BITS], memory_order_acquire);

        return PL_LIKELY(chunk != NULL) ? &chunk[fd & (CHUNK_ENTRIES - 1)] : NULL;
}

struct pl_io_fd *pl_io_fd_get(int fd)
{
        struct pl_io_fd *entry = pl_io_fd_peek(fd);

        if (PL_LIKELY(entry != NULL) || fd < 0)
                return entry;

        struct pl_io_fd *chunk = new_chunk((unsigned)fd >> CHUNK_BITS);

        return chunk ? &chunk[fd & (CHUNK_ENTRIES - 1)] : NULL;
}

void pl_io_fd_lock(struct pl_io_fd *entry) PL_NO_LOCK_CHECK
{
        pl_lock_acquire(&entry->lock);
        if (PL_UNLIKELY(entry->waiters.next == NULL))
                pl_list_init(&entry->waiters);
}

static bool placed(const struct pl_io_fd *entry)
{
        return entry->poller && entry->epoch == atomic_load_explicit(&entry->poller->epoch, memory_order_relaxed);
}

bool pl_io_fd_armed(const struct pl_io_fd *entry)
{
        return entry->arming != PL_IO_UNARMED && placed(entry);
}

static void unarmed(struct pl_io_fd *entry) PL_REQUIRES(entry->lock)
{
        if (pl_io_fd_armed(entry))
                atomic_fetch_sub_explicit(&entry->poller->armed, 1, memory_order_relaxed);
        entry->arming = PL_IO_UNARMED;
        entry->seq++;
}

void pl_io_fd_disarm(struct pl_io_fd *entry, int fd, enum pl_io_reason reason)
{
        if (pl_io_fd_armed(entry))
                entry->poller->backend->disarm(entry->poller, fd, entry->seq, reason);
        unarmed(entry);
}

int pl_io_fd_arm(struct pl_io_fd *entry, int fd, enum pl_io_arming arming, unsigned events)
{
        struct pl_poller *own = pl_sched_poller(), *poller = own;
        bool moves = false;

        /* It stays where it is, since there its tasks are woken; a ring can be armed by its owner only. */
        if (pl_io_fd_armed(entry) && poller->backend->shared)
                poller = entry->poller;
        else
                moves = pl_io_fd_armed(entry);
        if (moves)
                pl_io_fd_disarm(entry, fd, PL_IO_REPLACE);
        else
                unarmed(entry);

        int r = poller->backend->arm(poller, fd, entry->seq, arming, events, placed(entry) && poller == entry->poller);

        if (r < 0)
                return r;
        atomic_fetch_add(&poller->armed, 1);
        if (PL_UNLIKELY(poller != own))
                pl_io_poller_armed(poller);
        entry->number = fd;
        entry->poller = poller;
        entry->epoch = atomic_load_explicit(&poller->epoch, memory_order_relaxed);
        entry->arming = (uint8_t)arming;
        return 0;
}

static unsigned slot_of(const struct pl_wait_node *node)
{
        return (unsigned)(uintptr_t)node->slot;
}

void pl_io_fd_queue(struct pl_io_fd *entry, struct pl_wait_node *node, struct pl_wait *wait, unsigned slot)
{
        node->wait = wait;
        node->slot = (void *)(uintptr_t)slot;
        pl_list_push_back(&entry->waiters, &node->link);
}

/*
 * Claim who waits for *events* and move them to *woken*. Hang-ups and errors concern everybody; of those who will use
 * up what there is, one per direction is enough if *thrifty*.
 */
static void claim(struct pl_io_fd *entry, unsigned events, bool thrifty, unsigned mark, struct pl_list *woken)
{
        struct pl_list *link, *next;

        if (events & (POLLERR | POLLHUP | POLLNVAL)) {
                events = ~0U;
                thrifty = false;
        }
        for (link = entry->waiters.next; link != &entry->waiters && events; link = next) {
                struct pl_wait_node *node = PL_CONTAINER_OF(link, struct pl_wait_node, link);
                unsigned slot = slot_of(node);

                next = link->next;
                if (!(slot & events) && events != ~0U)
                        continue;
                if (!pl_sched_wake_claim(node->wait))
                        continue; /* it is leaving, and takes itself out */
                pl_list_remove(link);
                node->slot = (void *)(uintptr_t)(slot | mark);
                pl_list_push_back(woken, link);
                if (thrifty && slot & PL_IO_SLOT_CONSUMES)
                        events &= ~slot;
        }
}

static void wake(struct pl_list *woken)
{
        struct pl_list *link;

        while ((link = pl_list_pop_front(woken)))
                pl_sched_wake_ready(PL_CONTAINER_OF(link, struct pl_wait_node, link)->wait);
}

static unsigned flags_of(unsigned events)
{
        unsigned flags = 0;

        if (events & (POLLIN | POLLPRI))
                flags |= PL_IO_IN;
        if (events & POLLOUT)
                flags |= PL_IO_OUT;
        if (events & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
                flags |= PL_IO_IN | PL_IO_ENDED;
        if (events & (POLLHUP | POLLERR | POLLNVAL))
                flags |= PL_IO_OUT;
        if (events & POLLPRI)
                flags |= PL_IO_URGENT;
        return flags;
}

void pl_io_fd_mark(struct pl_io_fd *entry, unsigned flags)
{
        struct pl_list woken;
        unsigned events = (flags & PL_IO_IN ? POLLIN : 0U) | (flags & PL_IO_OUT ? POLLOUT : 0U);

        pl_list_init(&woken);
        pl_io_fd_lock(entry);
        atomic_fetch_or_explicit(&entry->state, flags, memory_order_relaxed);
        if (!pl_list_empty(&entry->waiters))
                claim(entry, events, true, 0, &woken);
        pl_lock_release(&entry->lock);
        wake(&woken);
}

/* An arming that ended by itself (a ring may do that) is renewed if anybody waits. */
static void renew(struct pl_io_fd *entry, int fd) PL_REQUIRES(entry->lock)
{
        if (!pl_list_empty(&entry->waiters) &&
            pl_io_fd_arm(entry, fd, PL_IO_STANDING, POLLIN | POLLOUT | POLLRDHUP | POLLPRI) < 0) {
                struct pl_list woken;

                pl_list_init(&woken);
                claim(entry, POLLERR, false, 0, &woken);
                wake(&woken); /* they try, and see for themselves */
        }
}

static void report(struct pl_io_fd *entry, int fd, unsigned events, bool last, struct pl_list *woken)
        PL_REQUIRES(entry->lock)
{
        if (entry->arming == PL_IO_LEVEL) {
                entry->watch->ready(entry->watch, events);
                if (last) { /* a ring's way to report a state again is to ask again */
                        unarmed(entry);
                        if (!(events & POLLNVAL) && pl_io_fd_arm(entry, fd, PL_IO_LEVEL, entry->watch->events) < 0)
                                entry->watch->ready(entry->watch, POLLERR);
                }
                return;
        }

        bool once = entry->arming == PL_IO_ONCE;

        if (events & POLLRDHUP)
                events |= POLLIN;
        atomic_fetch_or_explicit(&entry->state, flags_of(events), memory_order_relaxed);
        if (once || last)
                unarmed(entry);
        claim(entry, events, !once, 0, woken);
        if (last && !once)
                renew(entry, fd);
}

/* Reads without the lock: who is found may have gone, and is only fetched. */
PL_NO_TSAN void pl_io_fd_fetch_waiter(int fd)
{
        const struct pl_io_fd *entry = pl_io_fd_peek(fd);

        if (entry && entry->waiters.next)
                pl_sched_wait_fetch(PL_CONTAINER_OF(entry->waiters.next, const struct pl_wait, node.link));
}

void pl_io_fd_report(uint64_t tag, unsigned events, bool last)
{
        int fd = (int)(uint32_t)tag;
        struct pl_io_fd *entry = pl_io_fd_peek(fd);
        struct pl_list woken;

        if (!entry)
                return;
        pl_list_init(&woken);
        pl_io_fd_lock(entry);
        if (PL_LIKELY(entry->seq == tag >> 32 && entry->arming != PL_IO_UNARMED))
                report(entry, fd, events, last, &woken);
        pl_lock_release(&entry->lock);
        wake(&woken);
}

void pl_io_fd_unqueue(struct pl_io_fd *entry, struct pl_wait_node *node)
{
        pl_io_fd_lock(entry);
        if (pl_list_linked(&node->link))
                pl_list_remove(&node->link);
        pl_lock_release(&entry->lock);
}

void pl_io_fd_let_go(struct pl_io_fd *entry, int fd)
{
        struct pl_poller *poller = NULL;

        pl_io_fd_lock(entry);

        uint32_t seq = entry->seq;

        if (entry->arming == PL_IO_ONCE && pl_list_empty(&entry->waiters)) {
                if (pl_io_fd_armed(entry))
                        poller = entry->poller;
                unarmed(entry);
        }
        if (poller && poller->backend->shared) { /* at once, or it would hit an arming that comes after this */
                poller->backend->disarm(poller, fd, seq, PL_IO_FORGET);
                entry->poller = NULL;
                poller = NULL;
        }
        pl_lock_release(&entry->lock);
        if (poller)
                poller->backend->disarm(poller, fd, seq, PL_IO_FORGET);
}

/* The count of attempts stays. */
static void set_flags(struct pl_io_fd *entry, unsigned flags)
{
        unsigned state = atomic_load_explicit(&entry->state, memory_order_relaxed);

        while (!atomic_compare_exchange_weak_explicit(&entry->state, &state, (state & ~(unsigned)PL_IO_FLAGS) | flags,
                                                      memory_order_relaxed, memory_order_relaxed))
                ;
}

/* Attempts that began while it was owned: a system call each that does not block. */
static void wait_for_users(struct pl_io_fd *entry)
{
        for (int spins = 0; atomic_load_explicit(&entry->state, memory_order_acquire) >= PL_IO_USER; spins++) {
                if (spins < 64)
                        pl_cpu_relax();
                else
                        sched_yield(); /* one has lost its processor */
        }
}

int pl_io_fd_own(int fd, unsigned flags)
{
        struct pl_io_fd *entry = pl_io_fd_get(fd);
        struct pl_list woken;

        if (!entry)
                return -ENOMEM;
        pl_list_init(&woken);
        pl_io_fd_lock(entry);
        unarmed(entry); /* the kernel has forgotten what the number stood for */
        entry->poller = NULL;
        entry->watch = NULL;
        claim(entry, POLLNVAL, false, PL_IO_SLOT_CLOSED, &woken);
        set_flags(entry, flags | PL_IO_OWNED | PL_IO_IN | PL_IO_OUT);
        pl_lock_release(&entry->lock);
        wake(&woken);
        return 0;
}

int pl_io_fd_drop(int fd, enum pl_io_reason reason)
{
        struct pl_io_fd *entry = pl_io_fd_peek(fd);
        struct pl_poller *poller = NULL;
        struct pl_list woken;

        if (!entry)
                return 0;
        pl_list_init(&woken);
        pl_io_fd_lock(entry);
        if (entry->watch || atomic_load_explicit(&entry->state, memory_order_relaxed) & PL_IO_CLOSING) {
                pl_lock_release(&entry->lock);
                return entry->watch ? -EBUSY : -EBADF;
        }
        /* A place where it is no longer armed can still know it (epoll does, after PL_IO_ONCE). */
        if (placed(entry))
                poller = entry->poller;

        uint32_t seq = entry->seq;

        unarmed(entry);
        entry->poller = NULL;
        set_flags(entry, reason == PL_IO_CLOSE ? PL_IO_CLOSING : 0);
        claim(entry, POLLNVAL, false, PL_IO_SLOT_CLOSED, &woken);
        pl_lock_release(&entry->lock);
        wake(&woken);
        wait_for_users(entry);
        if (poller)
                poller->backend->disarm(poller, fd, seq, reason);
        return 0;
}

/* Whoever wants to wait either comes before the close, and is turned away, or finds the number's next user. */
int pl_io_fd_close(int fd)
{
        struct pl_io_fd *entry = pl_io_fd_peek(fd);
        int r = pl_io_fd_drop(fd, PL_IO_CLOSE);

        if (r < 0 || !entry)
                return r < 0 ? r : pl_io_call_close(fd);
        pl_io_fd_lock(entry);
        set_flags(entry, 0);
        r = pl_io_call_close(fd);
        pl_lock_release(&entry->lock);
        return r;
}

int pl_io_fd_wait(struct pl_io_fd *entry, int fd, unsigned event, int64_t deadline_ns)
{
        unsigned flags = event == POLLIN ? PL_IO_IN | PL_IO_ENDED : PL_IO_OUT;

        pl_io_fd_lock(entry);

        unsigned state = atomic_load_explicit(&entry->state, memory_order_relaxed);
        int r = state & PL_IO_OWNED ? 0 : -EBADF;

        if (r == 0 && PL_UNLIKELY(!pl_io_fd_armed(entry)))
                r = pl_io_fd_arm(entry, fd, PL_IO_STANDING, POLLIN | POLLOUT | POLLRDHUP | POLLPRI);
        if (r < 0 || state & flags) {
                pl_lock_release(&entry->lock);
                return r;
        }

        struct pl_wait *wait = pl_sched_wait_begin(event == POLLIN ? PL_WAIT_FD_READ : PL_WAIT_FD_WRITE, entry);

        pl_io_fd_queue(entry, &wait->node, wait, event | PL_IO_SLOT_CONSUMES);
        pl_lock_release(&entry->lock);
        r = pl_sched_wait_finish(wait, deadline_ns, 0);
        pl_sched_fetch_next();
        if (r < 0)
                pl_io_fd_unqueue(entry, &wait->node);
        else if (slot_of(&wait->node) & PL_IO_SLOT_CLOSED)
                r = -EBADF;
        return r;
}
