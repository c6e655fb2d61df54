/*
 * The terminal as a screen: the other screen, keys as they are pressed, and everything put back at the end, whatever
 * that is.
 */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has happened. */
enum screen_event {
        SCREEN_NOTHING, /* the time is over */
        SCREEN_KEY,
        SCREEN_RESIZED,
        SCREEN_RESUMED, /* it had been stopped (Ctrl-Z), and goes on */
        SCREEN_END,     /* Ctrl-C, a signal that ends programs, or the terminal is gone */
};

/* Take the terminal over. False: it is none that can be. Without *live* only signals are looked after. */
bool screen_enter(bool live);

/* Put it back; harmless when it has not been taken over. Also done at exit(). */
void screen_leave(void);

/* Wait for something to happen until *deadline_ns* (CLOCK_MONOTONIC). */
enum screen_event screen_wait(int64_t deadline_ns, char *ret_key);

void screen_size(size_t *ret_rows, size_t *ret_columns);

#endif
