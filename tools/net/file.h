/*
 * A small file of the system's, read whole.
 */
#ifndef NET_FILE_H
#define NET_FILE_H

#include <stddef.h>
#include <stdint.h>

#define NET_FILE_MAX (256U << 10)

/*
 * Reads at most NET_FILE_MAX bytes. Returns them, followed by a NUL, to be freed with free(); NULL when the file cannot
 * be read. *ret_modified, seconds since 1970, may be NULL.
 */
char *net_file_read(const char *path, size_t *ret_length, int64_t *ret_modified);

#endif
