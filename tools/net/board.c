/*
 * The board of facts. Its lock is a plain one, held for moments and across no wait: a worker may take it.
 */
#include "net/board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int net_board_init(struct net_board *board)
{
        *board = (struct net_board){.lock = PTHREAD_MUTEX_INITIALIZER};
        board->facts = calloc(NET_FACTS_MAX, sizeof *board->facts);
        if (!board->facts)
                return -ENOMEM;
        board->room = NET_FACTS_MAX;
        return 0;
}

void net_board_done(struct net_board *board)
{
        free(board->facts);
        board->facts = NULL;
        pthread_mutex_destroy(&board->lock);
}

static bool is_same(const struct net_fact *fact, const char *name, const char *subject)
{
        return strcmp(fact->name, name) == 0 && (!subject || strcmp(fact->subject, subject) == 0);
}

/* Where it is, or belongs: facts stand by layer. */
static size_t place_of(const struct net_board *board, const struct net_fact *fact)
{
        size_t place = board->count;

        for (size_t i = 0; i < board->count; i++)
                if (is_same(&board->facts[i], fact->name, fact->subject))
                        return i;
        while (place > 0 && board->facts[place - 1].layer > fact->layer)
                place--;
        return place;
}

void net_board_post(struct net_board *board, const struct net_fact *fact)
{
        pthread_mutex_lock(&board->lock);
        size_t place = place_of(board, fact);
        bool is_new = place == board->count || !is_same(&board->facts[place], fact->name, fact->subject);
        if (!is_new || board->count < board->room) {
                if (is_new) {
                        memmove(&board->facts[place + 1], &board->facts[place],
                                (board->count - place) * sizeof *board->facts);
                        board->count++;
                }
                board->facts[place] = *fact;
        }
        pthread_mutex_unlock(&board->lock);
        plait_event_set(&board->changed);
}

size_t net_board_read(struct net_board *board, struct net_fact *facts, size_t room)
{
        pthread_mutex_lock(&board->lock);
        size_t count = board->count < room ? board->count : room;
        memcpy(facts, board->facts, count * sizeof *facts);
        pthread_mutex_unlock(&board->lock);
        return count;
}

bool net_board_find(struct net_board *board, const char *name, const char *subject, struct net_fact *ret)
{
        bool found = false;

        pthread_mutex_lock(&board->lock);
        for (size_t i = 0; i < board->count && !found; i++)
                if (is_same(&board->facts[i], name, subject)) {
                        *ret = board->facts[i];
                        found = true;
                }
        pthread_mutex_unlock(&board->lock);
        return found;
}
