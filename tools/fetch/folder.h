/*
 * The folder that files are saved in. Files are made without a name where the file system can do that, else under a
 * hidden temporary one, and get their final name when they are whole; nothing in the folder is followed, and no name
 * has a '/' in it, so nothing outside is reached.
 */
#ifndef FETCH_FOLDER_H
#define FETCH_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TEMP_SIZE 64

struct folder {
        const char *path;
        int fd;
        pid_t pid;      /* of this process: part of temporary names */
        uint64_t temps; /* how many temporary names were made: the next one's number */
        bool named;     /* files without a name cannot be made, or not be given one */
};

/* Opens the folder, which is made if it is missing. Returns 0 or a negative errno. */
int folder_open(struct folder *folder, const char *path);
void folder_close(struct folder *folder);

/* Makes a new file and writes its temporary name to *temp*. Returns its descriptor or a negative errno. Any thread. */
int folder_create(struct folder *folder, char temp[TEMP_SIZE]);

/*
 * Makes a new file without a name, which is gone when it is closed: for a file that is whole at once, since this is a
 * quarter cheaper than a temporary name. Returns its descriptor, or a negative errno: use folder_create() then. One
 * thread.
 */
int folder_create_unnamed(struct folder *folder);

/*
 * Gives a file without a name its final one, in place of a file that has it. -EOPNOTSUPP: that is not possible here,
 * the file has to be made anew by folder_create(). One thread.
 */
int folder_link(struct folder *folder, int fd, const char *name);

/* Gives a file its final name, in place of a file that has it. */
int folder_commit(struct folder *folder, const char *temp, const char *name);

void folder_discard(struct folder *folder, const char *temp);

/* Whether there is a regular file *name* of *bytes* bytes. */
bool folder_has(struct folder *folder, const char *name, uint64_t bytes);

/* Removes temporary files that killed runs left. Only while no other run uses the folder. */
void folder_sweep(struct folder *folder);

#endif
