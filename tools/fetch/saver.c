/*
 * The saver; see saver.h. Saves wait in a list; the thread takes some at a time, does them, and tells all of them.
 */
#include "fetch/saver.h"

#include <errno.h>
#include <unistd.h>

#include <plait/scope.h>

#define SAVES_AT_ONCE 16 /* before any is told: bounds how late the first one hears of it */

static int failed(struct save *save, const char *what, int r)
{
        save->error = r;
        save->error_at = what;
        return r;
}

static int write_all(struct save *save)
{
        for (size_t at = 0; at < save->bytes;) {
                ssize_t n = write(save->fd, save->data + at, save->bytes - at);
                if (n > 0)
                        at += (size_t)n;
                else if (n == 0 || errno != EINTR)
                        return failed(save, "write", n < 0 ? -errno : -ENOSPC);
        }
        return 0;
}

/* Close reports what a network file system could not write. */
static int close_file(struct save *save)
{
        int r = close(save->fd) < 0 && errno != EINTR ? -errno : 0;

        save->fd = -1;
        return r < 0 && save->error == 0 ? failed(save, "write", r) : save->error;
}

/* A file that is whole at once. False: it cannot be made in this way here. */
static bool keep_unnamed(struct folder *folder, struct save *save)
{
        int r = 0;

        save->fd = folder_create_unnamed(folder);
        if (save->fd < 0)
                return false;
        if (write_all(save) == 0 && (r = folder_link(folder, save->fd, save->name)) < 0 && r != -EOPNOTSUPP)
                failed(save, "give the file its name", r);
        bool linked = save->error == 0 && r == 0;
        if (close_file(save) < 0 && linked)
                folder_discard(folder, save->name);
        return r != -EOPNOTSUPP;
}

static void keep(struct folder *folder, struct save *save)
{
        int r = 0;

        if (save->fd < 0 && keep_unnamed(folder, save))
                return;
        if (save->fd < 0 && (save->fd = folder_create(folder, save->temp)) < 0) {
                failed(save, "make a file", save->fd);
                return;
        }
        write_all(save);
        if (close_file(save) == 0 && (r = folder_commit(folder, save->temp, save->name)) < 0)
                failed(save, "give the file its name", r);
        if (save->error)
                folder_discard(folder, save->temp);
}

/* Keeps the files of a list and journals those that were kept. */
static void keep_all(struct saver *saver, struct save *first)
{
        for (struct save *save = first; save; save = save->next) {
                int r = 0;

                keep(saver->folder, save);
                if (save->error == 0 && (r = journal_add(saver->journal, save->url, save->name, &save->entry)) < 0)
                        failed(save, "write the journal", r);
        }
        int r = journal_flush(saver->journal);
        for (struct save *save = first; save && r < 0; save = save->next)
                if (save->error == 0)
                        failed(save, "write the journal", r);
}

/* Waits for work; NULL: the end. */
static struct save *take(struct saver *saver)
{
        pthread_mutex_lock(&saver->lock);
        while (!saver->first && !saver->stopping) {
                saver->idle = true;
                pthread_cond_wait(&saver->wanted, &saver->lock);
        }
        saver->idle = false;

        struct save *taken = saver->first;
        struct save **end = &saver->first;
        for (int n = 0; *end && n < SAVES_AT_ONCE; n++)
                end = &(*end)->next;
        saver->first = *end;
        if (!saver->first)
                saver->last = &saver->first;
        *end = NULL;
        pthread_mutex_unlock(&saver->lock);
        return taken;
}

static void *work(void *arg)
{
        struct saver *saver = arg;
        struct save *save;

        while ((save = take(saver))) {
                keep_all(saver, save);
                while (save) {
                        struct save *next = save->next; /* who is told may be gone at once */
                        plait_event_set(&save->ended);
                        save = next;
                }
        }
        return NULL;
}

int saver_start(struct saver *saver, struct folder *folder, struct journal *journal)
{
        *saver = (struct saver){
                .folder = folder,
                .journal = journal,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .wanted = PTHREAD_COND_INITIALIZER,
        };
        saver->last = &saver->first;
        return -pthread_create(&saver->thread, NULL, work, saver);
}

void saver_stop(struct saver *saver)
{
        pthread_mutex_lock(&saver->lock);
        saver->stopping = true;
        pthread_cond_signal(&saver->wanted);
        pthread_mutex_unlock(&saver->lock);
        pthread_join(saver->thread, NULL);
}

/* A file that has begun to be saved is saved, and the saver has our memory. */
static void wait_uncancelled(struct save *save)
{
        struct plait_scope shield = {.flags = PLAIT_SCOPE_SHIELD};

        plait_scope_open(&shield);
        while (plait_event_wait(&save->ended, PLAIT_NEVER) < 0) {}
        plait_scope_join(&shield);
}

int saver_save(struct saver *saver, struct save *save)
{
        save->next = NULL;
        save->error = 0;
        plait_event_clear(&save->ended);
        pthread_mutex_lock(&saver->lock);
        *saver->last = save;
        saver->last = &save->next;
        if (saver->idle) {
                saver->idle = false;
                pthread_cond_signal(&saver->wanted);
        }
        pthread_mutex_unlock(&saver->lock);
        if (plait_event_wait(&save->ended, PLAIT_NEVER) < 0)
                wait_uncancelled(save);
        return save->error;
}
