/*
 * The terminal as a screen. Signal handlers only take notes; the rest is done where the program waits.
 */
#include "top/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "term/terminal.h"

static struct termios before;
static bool entered, is_live;
static volatile sig_atomic_t end_asked, resized, stop_asked;

static void note_signal(int number)
{
        if (number == SIGWINCH)
                resized = 1;
        else if (number == SIGTSTP)
                stop_asked = 1;
        else
                end_asked = 1;
}

/* A picture that is being written goes on; ppoll() ends in any case. Where the terminal takes no more, keys that send
 * signals make it go on, and of SIGTERM and SIGHUP the second one is the end. */
static void watch_signals(void)
{
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};

        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
                bool twice = numbers[i] == SIGTERM || numbers[i] == SIGHUP;
                struct sigaction action = {.sa_handler = note_signal,
                                           .sa_flags = SA_RESTART | (twice ? (int)SA_RESETHAND : 0)};

                sigfillset(&action.sa_mask);
                if (is_live || numbers[i] != SIGTSTP)
                        sigaction(numbers[i], &action, NULL);
        }
}

static void say(const char *text)
{
        fputs(text, stdout);
        fflush(stdout);
}

/* Keys come one by one and are not shown; Ctrl-C stays a signal. */
static bool take_over(void)
{
        struct termios raw;

        if (tcgetattr(STDIN_FILENO, &before) < 0)
                return false;
        raw = before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
                return false;
        entered = true;
        say("\033[?1049h\033[?25l\033[?7l"); /* the other screen, no cursor, no new line at the right margin */
        return true;
}

void screen_leave(void)
{
        if (!entered)
                return;
        entered = false;
        say("\033[?7h\033[?25h\033[?1049l");
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

bool screen_enter(bool live)
{
        is_live = live;
        if (live && (!terminal_is_live(STDOUT_FILENO) || !isatty(STDIN_FILENO)))
                return false;
        watch_signals();
        if (!live)
                return true;
        if (!take_over())
                return false;
        atexit(screen_leave);
        return true;
}

/* Ctrl-Z: the shell gets its terminal as it was; later this gets it back. */
static void stop(void)
{
        stop_asked = 0;
        screen_leave();
        raise(SIGSTOP);
        if (!take_over())
                end_asked = 1;
}

static int64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool read_key(char *ret_key)
{
        ssize_t n = read(STDIN_FILENO, ret_key, 1);

        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
                end_asked = 1; /* the terminal is gone */
        return n == 1;
}

enum screen_event screen_wait(int64_t deadline_ns, char *ret_key)
{
        struct pollfd keys = {.fd = is_live ? STDIN_FILENO : -1, .events = POLLIN};

        for (;;) {
                int64_t left_ns = deadline_ns - now_ns();
                struct timespec left = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};

                if (end_asked)
                        return SCREEN_END;
                if (stop_asked) {
                        stop();
                        return end_asked ? SCREEN_END : SCREEN_RESUMED;
                }
                if (resized) {
                        resized = 0;
                        if (is_live)
                                return SCREEN_RESIZED;
                }
                if (left_ns <= 0)
                        return SCREEN_NOTHING;
                int n = ppoll(&keys, 1, &left, NULL);
                if (n > 0 && read_key(ret_key))
                        return SCREEN_KEY;
        }
}

void screen_size(size_t *ret_rows, size_t *ret_columns)
{
        struct winsize size = {0};

        bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
        *ret_rows = known && size.ws_row >= 2 ? size.ws_row : 24;
        *ret_columns = known && size.ws_col >= 20 ? size.ws_col : 80;
}
