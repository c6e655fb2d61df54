/**
 * @file plait/registry.h
 * Where a program's tasks stand in its memory, for tools that look from outside: debuggers, profilers, `plait ps`.
 *
 * Every program that uses plait has one #plait_registry: a constant that says at which addresses its tasks, workers and
 * scopes are found, and at which offset each of their members stands. Who can read the program's memory (of a live
 * process, of a core file) can list its tasks with that and with nothing else, no debug information, no code run in the
 * process. docs/internals/registry.md tells how the parts fit together, and what may change between versions.
 *
 * It is found by its name in the symbol table (plait_registry, version PLAIT_0 in libplait.so), or without symbols: an
 * ELF note of the owner "plait" and type #PLAIT_REGISTRY_NOTE in the object that contains it holds its distance from
 * the note's own first byte of content, a signed number of 64 bits.
 *
 * The example counts the tasks of its own program the way that a reader from outside would.
 *
 * @code{.c}
 * #include <plait/plait.h>
 * #include <plait/registry.h>
 * #include <assert.h>
 * #include <string.h>
 *
 * static uint64_t get(const void *object, struct plait_registry_field field)
 * {
 *         uint64_t value = 0;
 *
 *         memcpy(&value, (const char *)object + field.offset, field.size);
 *         return value;
 * }
 *
 * static int count_tasks(void)
 * {
 *         const struct plait_registry *r = &plait_registry;
 *         uint64_t slabs = get(r->task_pool, r->slab.n_slabs);
 *         int count = 0;
 *
 *         for (uint64_t i = 0; i < slabs; i++) {
 *                 const char *chunks = (const char *)r->task_pool + r->slab.chunks.offset;
 *                 const char *slab;
 *
 *                 memcpy(&slab, chunks + i / r->slab.slabs_per_chunk * sizeof slab, sizeof slab);
 *                 slab += i % r->slab.slabs_per_chunk * r->slab.slab_bytes;
 *                 for (uint64_t k = 0; k < get(slab, r->slab.carved); k++) {
 *                         const char *task = slab + r->slab.header_bytes + k * get(r->task_pool, r->slab.object_bytes);
 *
 *                         count += get(task, r->task.fn) != 0;
 *                 }
 *         }
 *         return count;
 * }
 *
 * static int wait_for(void *event)
 * {
 *         return plait_event_wait(event, PLAIT_NEVER);
 * }
 *
 * static int app(void *arg)
 * {
 *         struct plait_scope scope = PLAIT_SCOPE_INIT;
 *         struct plait_event event = PLAIT_EVENT_INIT;
 *         int before = count_tasks();
 *
 *         (void)arg;
 *         for (int i = 0; i < 1000; i++)
 *                 plait_scope_go(&scope, wait_for, &event);
 *         assert(count_tasks() == before + 1000);
 *         plait_event_set(&event);
 *         return plait_scope_join(&scope);
 * }
 *
 * int main(void)
 * {
 *         struct plait_run_opts opts = {.size = sizeof opts, .workers = 1};
 *
 *         return plait_run(app, NULL, &opts);
 * }
 * @endcode
 */
#ifndef PLAIT_REGISTRY_H
#define PLAIT_REGISTRY_H

#include <plait/base.h>

PLAIT_BEGIN_DECLS

/** The first bytes of the registry. */
#define PLAIT_REGISTRY_MAGIC "plait registry"
/** plait_registry.version that this header describes. */
#define PLAIT_REGISTRY_VERSION 1U
/** Type of the ELF note that leads to the registry. */
#define PLAIT_REGISTRY_NOTE 1U

/** Where a member stands in its structure. */
struct plait_registry_field {
        uint16_t offset; /**< in bytes */
        uint16_t size;   /**< in bytes; 0: there is no such member */
};

/** plait_registry_wait.state, its low bits: what has become of a wait. */
enum plait_registry_wait_state {
        PLAIT_REGISTRY_IDLE,      /**< it does not wait */
        PLAIT_REGISTRY_BEGUN,     /**< it waits, and neither a deadline nor a cancellation ends that (yet) */
        PLAIT_REGISTRY_WAITING,   /**< it waits */
        PLAIT_REGISTRY_WOKEN,     /**< what it waited for has come: it can run */
        PLAIT_REGISTRY_TIMED_OUT, /**< its deadline has come: it can run */
        PLAIT_REGISTRY_CANCELED,  /**< it has been cancelled: it can run */
        PLAIT_REGISTRY_READY,     /**< as woken, of a thread */
        PLAIT_REGISTRY_STATE_MASK = 7,
};

/** Of a pool of objects of one size, and the slabs that they are in. */
struct plait_registry_slab {
        uint32_t slab_bytes;                      /**< a slab is that big, and aligned to that */
        uint32_t header_bytes;                    /**< where the first object of a slab starts */
        uint32_t slabs_per_chunk;                 /**< the n-th slab is in chunk n / this */
        uint32_t reserved;                        /**< 0 */
        struct plait_registry_field object_bytes; /**< in the pool */
        struct plait_registry_field n_slabs;      /**< in the pool */
        struct plait_registry_field chunks;       /**< in the pool: an array of addresses */
        struct plait_registry_field
                carved; /**< in a slab: objects from here on were never used, or their memory is gone */
};

/** Of a wait; offsets are within the task or thread that waits. */
struct plait_registry_wait {
        struct plait_registry_field state;    /**< ::plait_registry_wait_state and, above, the wait's number */
        struct plait_registry_field cause;    /**< index into plait_registry.causes */
        struct plait_registry_field object;   /**< address of what it waits for; 0: nothing in particular */
        struct plait_registry_field since_ms; /**< when it began, as plait_registry_run.clock_ms was then */
};

/** Of a task. */
struct plait_registry_task {
        uint32_t bytes;                     /**< of the whole structure */
        uint32_t reserved;                  /**< 0 */
        struct plait_registry_field fn;     /**< what was started; 0: the memory holds no task, or one that has ended */
        struct plait_registry_field arg;    /**< until it starts */
        struct plait_registry_field saved;  /**< compact, started and not its stack's owner: its frames */
        struct plait_registry_field id;     /**< its number */
        struct plait_registry_field name;   /**< a string; 0: none */
        struct plait_registry_field sp;     /**< where it goes on when it is resumed: the stack pointer, */
        struct plait_registry_field fp;     /**< the frame pointer, */
        struct plait_registry_field pc;     /**< and the address of the next instruction */
        struct plait_registry_field stack;  /**< 0: it has not started */
        struct plait_registry_field scope;  /**< the innermost one that is open */
        struct plait_registry_field home;   /**< the one it was started in */
        struct plait_registry_field on_cpu; /**< 1: it runs, or what it has called runs, and sp, fp, pc are old */
        struct plait_registry_field compact;     /**< 1: it shares a stack, see #PLAIT_TASK_COMPACT */
        struct plait_registry_field bound;       /**< 1: it runs on one worker only, or has a priority */
        struct plait_registry_field worker;      /**< that one; or 65535: high priority, 65534: low */
        struct plait_registry_field deadline_ns; /**< of its wait, if wheel is not 0 */
        struct plait_registry_field wheel;       /**< 0: no deadline is set */
        struct plait_registry_wait wait;         /**< its wait */
};

/** Of a thread that is no worker and has waited for something of plait's. */
struct plait_registry_thread {
        uint32_t bytes;                  /**< of the whole structure */
        uint32_t reserved;               /**< 0 */
        struct plait_registry_field tid; /**< 0: the memory holds no thread, or one that has ended */
        struct plait_registry_wait wait; /**< its wait */
        struct plait_registry_field sp;  /**< where it waits: the stack pointer, */
        struct plait_registry_field fp;  /**< the frame pointer, */
        struct plait_registry_field pc;  /**< and the address of the code */
};

/** Of a worker. */
struct plait_registry_worker {
        uint32_t bytes;                           /**< of the whole structure */
        struct plait_registry_field next;         /**< not 0: one more than *ready* can go on */
        struct plait_registry_field tid;          /**< of its thread */
        struct plait_registry_field current;      /**< the task that it runs; 0: none */
        struct plait_registry_field ticks;        /**< tasks that it has switched to, modulo 2^32 */
        struct plait_registry_field idle;         /**< not 0: it sleeps, or is about to */
        struct plait_registry_field ready;        /**< how many tasks can go on */
        struct plait_registry_field bound;        /**< how many that can go on are bound to it */
        struct plait_registry_field fresh_top;    /**< tasks and forks that have not started: */
        struct plait_registry_field fresh_bottom; /**< bottom - top of them */
        struct plait_registry_field spare;        /**< 1: it works only while others are held up */
};

/** Of the run. */
struct plait_registry_run {
        uint32_t bytes;                        /**< of the whole structure */
        uint32_t reserved;                     /**< 0 */
        struct plait_registry_field id;        /**< 0: no run is under way */
        struct plait_registry_field workers;   /**< address of the first of */
        struct plait_registry_field n_workers; /**< spare ones included */
        struct plait_registry_field
                clock_ms; /**< CLOCK_MONOTONIC in ms, modulo 2^32, when a worker last looked at it */
        struct plait_registry_field injector;        /**< how many tasks other threads have handed over */
        struct plait_registry_field started_ns;      /**< when it began, CLOCK_MONOTONIC */
        struct plait_registry_field started_real_ns; /**< the same, CLOCK_REALTIME */
        struct plait_registry_field root;            /**< address of the scope of the first task */
        struct plait_registry_field n_stuck;         /**< how often a worker was found held up by a task */
};

/** Of a scope. */
struct plait_registry_scope {
        uint32_t bytes;                          /**< of the whole structure */
        uint32_t reserved;                       /**< 0 */
        struct plait_registry_field deadline_ns; /**< 0: none of its own */
        struct plait_registry_field flags;       /**< #PLAIT_SCOPE_SHIELD */
        struct plait_registry_field state;       /**< 0: closed */
        struct plait_registry_field parent;      /**< the scope around it; 0: none */
        struct plait_registry_field owner;       /**< the task that opened it */
        struct plait_registry_field opened_at;   /**< an address in the code */
        struct plait_registry_field owed;        /**< owed + pending / 2: how many tasks are in it */
        struct plait_registry_field pending;     /**< see owed */
        struct plait_registry_field error;       /**< the first failure, a negative errno */
        struct plait_registry_field cancelled;   /**< not 0: it is */
};

/** Of a stack. */
struct plait_registry_stack {
        struct plait_registry_field top;         /**< where the first frame starts */
        struct plait_registry_field owner;       /**< the task that runs on it */
        struct plait_registry_field bytes;       /**< its size, up to some 4 KiB above top */
        uint32_t saved_data;                     /**< of a compact task's saved frames: offset of their first byte, */
        struct plait_registry_field saved_bytes; /**< and how many; they belong to the last bytes below top */
};

/** Of what a task waits for with the causes "read" and "write". */
struct plait_registry_fd {
        struct plait_registry_field number; /**< the file descriptor */
};

/** Of what a task waits for with the cause "mutex". */
struct plait_registry_mutex {
        struct plait_registry_field holder;  /**< whose bits in mask are the address of the holder's wait; 0: nobody */
        struct plait_registry_field of_task; /**< in a wait: 1: it is a task's, and begins task_wait bytes into that */
        uint64_t mask;                       /**< see holder */
        uint32_t task_wait;                  /**< see of_task */
        uint32_t thread_wait;                /**< the same for a thread */
};

/** Of a limit that is found by measurement (plait/tuner.h). */
struct plait_registry_tuner {
        uint32_t bytes;                         /**< of the whole structure */
        uint32_t reserved;                      /**< 0 */
        struct plait_registry_field used;       /**< 0: the memory holds no tuner, or one that is gone */
        struct plait_registry_field kind;       /**< enum plait_tuner_kind */
        struct plait_registry_field limit;      /**< how many may be under way */
        struct plait_registry_field in_flight;  /**< how many are */
        struct plait_registry_field was;        /**< the limit before its last change */
        struct plait_registry_field reason;     /**< of that: index into plait_registry.tuner_reasons */
        struct plait_registry_field changed_ns; /**< when that was, by the clock that its user gives it */
        struct plait_registry_field milli_rate; /**< a thousand times what gets done in a second */
        struct plait_registry_field refused;    /**< how many were refused or timed out */
        struct plait_registry_field name;       /**< a string, within the structure */
};

/** The registry. Constant from the moment that the library is loaded; members are only ever appended. */
struct plait_registry {
        char magic[16];   /**< #PLAIT_REGISTRY_MAGIC */
        uint32_t version; /**< #PLAIT_REGISTRY_VERSION; a reader must not read another one */
        uint32_t size;    /**< of this structure: what is beyond it is not there */
        char library[16]; /**< what plait_version() returns */

        const void *run;           /**< address of the run */
        const void *task_pool;     /**< address of the pool of tasks */
        const void *thread_pool;   /**< address of the pool of threads that are no workers */
        const char *const *causes; /**< what a wait's cause is called, such as "mutex" */
        uint32_t n_causes;         /**< how many of them */
        uint32_t reserved;         /**< 0 */

        struct plait_registry_slab slab;     /**< where the members of pools and slabs are */
        struct plait_registry_run run_at;    /**< those of the run */
        struct plait_registry_worker worker; /**< those of a worker */
        struct plait_registry_task task;     /**< those of a task */
        struct plait_registry_thread thread; /**< those of a thread */
        struct plait_registry_scope scope;   /**< those of a scope */
        struct plait_registry_stack stack;   /**< those of a stack */
        struct plait_registry_fd fd;         /**< those of a descriptor */
        uint32_t reserved_too;               /**< 0 */
        struct plait_registry_mutex mutex;   /**< those of a mutex */

        const void *tuner_pool;            /**< address of the pool of tuners */
        const char *const *tuner_reasons;  /**< what a reason is called, such as "refused" */
        uint32_t n_tuner_reasons;          /**< how many of them */
        uint32_t reserved_three;           /**< 0 */
        struct plait_registry_tuner tuner; /**< where the members of a tuner are */
        const void *trace;                 /**< address of its plait_trace_mailbox */
};

/** This program's. */
PLAIT_API extern const struct plait_registry plait_registry;

PLAIT_END_DECLS

#endif
