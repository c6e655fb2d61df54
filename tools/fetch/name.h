/*
 * The file name that stands for a URL.
 */
#ifndef FETCH_NAME_H
#define FETCH_NAME_H

#define NAME_SIZE 160
#define NAME_HIDDEN ".plait-fetch" /* what fetch's own files in the folder begin with; no URL's name does */

/*
 * Writes the name for *url*: its last path segment (the host, where it has none) made harmless, "-", 16 characters of
 * the SHA-256 of the whole URL, and the segment's extension: "photo-3k9d0q8r1t5v7w2x.jpg". The name depends on the URL
 * alone, and two URLs have the same only if 80 bits of their sums agree. It holds no '/', begins with neither '.' nor
 * '-', has no control characters, and is valid UTF-8.
 */
void name_of_url(const char *url, char name[NAME_SIZE]);

#endif
