/*
 * Web servers for tests: server.py, which answers in every wrong way, in a process of its own on ports of its own.
 * TEST(name, .run = with_server): the body runs in a task, and the server is up. PLAIT_TEST_HTTP is the folder of
 * server.py, as tests/meson.build says.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <fcntl.h>
#include <plait/plait.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/task.h"
#include "harness/test.h"

extern char **environ;

struct web_server {
        pid_t pid;
        int in;           /* closing it ends the server */
        char folder[64];  /* with its certificates: ca.pem is the one to trust */
        char ports[1024]; /* "plain 1234 tls 2345 ..." */
};

static struct web_server web;

static inline void web_start(const char *script)
{
        char path[512];
        char *argv[] = {"python3", path, web.folder, NULL};
        posix_spawn_file_actions_t actions;
        int in[2];
        int out[2];
        FILE *lines;

        snprintf(path, sizeof path, "%s/%s", PLAIT_TEST_HTTP, script);
        snprintf(web.folder, sizeof web.folder, "/tmp/plait-http-XXXXXX");
        CHECK(mkdtemp(web.folder));
        CHECK_SYS(pipe2(in, O_CLOEXEC));
        CHECK_SYS(pipe2(out, O_CLOEXEC));
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        CHECK_INT(posix_spawnp(&web.pid, "python3", &actions, NULL, argv, environ), ==, 0);
        posix_spawn_file_actions_destroy(&actions);
        close(in[0]);
        close(out[1]);
        web.in = in[1];
        lines = fdopen(out[0], "r");
        CHECK(lines);
        if (!fgets(web.ports, sizeof web.ports, lines))
                FAIL("%s did not start", path);
        fclose(lines);
}

static inline void web_stop(void)
{
        char command[128];
        int status;

        close(web.in);
        CHECK_SYS(waitpid(web.pid, &status, 0));
        snprintf(command, sizeof command, "rm -rf %s", web.folder);
        CHECK_INT(system(command), ==, 0);
}

static inline unsigned web_port(const char *name)
{
        size_t bytes = strlen(name);

        for (const char *at = web.ports; (at = strstr(at, name)); at += bytes)
                if ((at == web.ports || at[-1] == ' ') && at[bytes] == ' ')
                        return (unsigned)strtoul(at + bytes, NULL, 10);
        FAIL("the server has no port called %s", name);
}

/* A URL of the server, in one of a few buffers used by turns. */
static inline const char *web_url(const char *port_name, const char *path)
{
        static _Thread_local char urls[8][512];
        static _Thread_local unsigned turn;
        char *url = urls[turn++ % 8];
        bool tls = !strcmp(port_name, "tls") || !strcmp(port_name, "wrongname") || !strcmp(port_name, "expired") ||
                   !strcmp(port_name, "untrusted");

        snprintf(url, sizeof urls[0], "%s:%u/%s", tls ? "https://localhost" : "http://127.0.0.1", web_port(port_name),
                 path);
        return url;
}

static inline void with_server(void (*body)(void))
{
        web_start("server.py");
        in_task(body);
        web_stop();
}

/* The same in a thread that runs no task. */
static inline void with_server_in_thread(void (*body)(void))
{
        web_start("server.py");
        body();
        web_stop();
}

/* A session that trusts the server's CA. */
static inline struct plait_session *web_session(const struct plait_session_opts *opts)
{
        struct plait_session_opts own = {.size = sizeof own};
        struct plait_session *session;
        char ca[128];

        if (opts)
                own = *opts;
        snprintf(ca, sizeof ca, "%s/ca.pem", web.folder);
        own.ca_file = ca;
        CHECK_INT(plait_session_new(&session, &own), ==, 0);
        return session;
}

#endif
