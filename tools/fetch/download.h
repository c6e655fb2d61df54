/*
 * Downloading: what the tasks do that take URLs from the dispatcher.
 */
#ifndef FETCH_DOWNLOAD_H
#define FETCH_DOWNLOAD_H

/* Downloads until there is nothing more: a task. *arg* is a struct fetch. */
int download_all(void *arg);

#endif
