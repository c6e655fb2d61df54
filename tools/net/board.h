/*
 * The board that probes post their facts on, while the rules read it.
 */
#ifndef NET_BOARD_H
#define NET_BOARD_H

#include <pthread.h>
#include <stddef.h>

#include <plait/event.h>

#include "net/fact.h"

#define NET_FACTS_MAX 512

struct net_board {
        pthread_mutex_t lock; /* held for moments, across no wait */
        struct net_fact *facts;
        size_t count, room;
        struct plait_event changed; /* set by every post */
};

int net_board_init(struct net_board *board);
void net_board_done(struct net_board *board);

/* Adds a fact, or replaces the one of the same name and subject. Beyond NET_FACTS_MAX, new ones are dropped. */
void net_board_post(struct net_board *board, const struct net_fact *fact);

/* Copies the facts that are there, in the order of layers and of their first posting. Returns how many. */
size_t net_board_read(struct net_board *board, struct net_fact *facts, size_t room);

/* Copies the fact of that name and subject (NULL: the first of that name). */
bool net_board_find(struct net_board *board, const char *name, const char *subject, struct net_fact *ret);

#endif
