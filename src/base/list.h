/* An intrusive doubly linked ring. The head is a link of its own; a link that is in no list points to itself. */
#ifndef PL_BASE_LIST_H
#define PL_BASE_LIST_H

#include <stdbool.h>

#include "base/attributes.h"

struct pl_list {
        struct pl_list *next;
        struct pl_list *prev;
};

static inline void pl_list_init(struct pl_list *link)
{
        link->next = link;
        link->prev = link;
}

static inline bool pl_list_empty(const struct pl_list *head)
{
        return head->next == head;
}

/* Whether *link* is in a list; it must have been initialised. */
static inline bool pl_list_linked(const struct pl_list *link)
{
        return link->next != link;
}

static inline void pl_list_insert_before(struct pl_list *place, struct pl_list *link)
{
        link->next = place;
        link->prev = place->prev;
        place->prev->next = link;
        place->prev = link;
}

static inline void pl_list_push_back(struct pl_list *head, struct pl_list *link)
{
        pl_list_insert_before(head, link);
}

static inline void pl_list_push_front(struct pl_list *head, struct pl_list *link)
{
        pl_list_insert_before(head->next, link);
}

/* Take *link* out of whatever list it is in; harmless when it is in none. */
static inline void pl_list_remove(struct pl_list *link)
{
        link->prev->next = link->next;
        link->next->prev = link->prev;
        pl_list_init(link);
}

/* The first link, taken out of the list; NULL when it is empty. */
static inline struct pl_list *pl_list_pop_front(struct pl_list *head)
{
        struct pl_list *link = head->next;

        if (link == head)
                return NULL;
        head->next = link->next;
        link->next->prev = head;
        pl_list_init(link);
        return link;
}

/* Move everything in *from* to the end of *to*. */
static inline void pl_list_splice_back(struct pl_list *to, struct pl_list *from)
{
        if (pl_list_empty(from))
                return;
        from->next->prev = to->prev;
        from->prev->next = to;
        to->prev->next = from->next;
        to->prev = from->prev;
        pl_list_init(from);
}

#endif
