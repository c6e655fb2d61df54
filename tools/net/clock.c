/*
 * Other clocks, and what they say of this machine's.
 */
#include "net/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <plait/name.h>
#include <plait/scope.h>
#include <plait/time.h>

#include "net/sntp.h"

#define NS 1000000000LL

enum { AGREE_S = 30, NTP_PORT = 123, SERVERS_MAX = 6 };

void net_clocks_add(struct net_clocks *clocks, int64_t ahead_s, const char *what, const char *where)
{
        if (clocks->count == NET_CLOCKS_MAX)
                return;

        struct net_clock *clock = &clocks->at[clocks->count++];

        clock->ahead_s = ahead_s;
        snprintf(clock->what, sizeof clock->what, "%s%s%s", what, *where ? " " : "", where);
}

/* The largest difference that two of the clocks agree upon, to *ret_ahead_s*, and which two. */
static bool agree(const struct net_clocks *clocks, int64_t *ret_ahead_s, size_t ret_which[2])
{
        bool found = false;

        for (size_t i = 0; i < clocks->count; i++)
                for (size_t k = i + 1; k < clocks->count; k++) {
                        int64_t one = clocks->at[i].ahead_s;

                        if (llabs(one - clocks->at[k].ahead_s) > AGREE_S ||
                            (found && llabs(one) <= llabs(*ret_ahead_s)))
                                continue;
                        found = true;
                        *ret_ahead_s = one;
                        ret_which[0] = i;
                        ret_which[1] = k;
                }
        return found;
}

struct question {
        struct net_ip server;
        const struct net_clocks *known;
        struct plait_scope *scope;
        int64_t deadline_ns, ahead_ns;
        int result;
};

static int ask(void *arg)
{
        struct question *self = arg;

        self->result = net_sntp_ask(&self->server, NTP_PORT, self->deadline_ns, &self->ahead_ns);
        for (size_t i = 0; i < self->known->count && self->result == 0; i++)
                if (llabs(self->known->at[i].ahead_s - self->ahead_ns / NS) <= AGREE_S)
                        plait_scope_cancel(self->scope); /* two agree: enough */
        return 0;
}

static size_t add_server(struct question *questions, size_t count, const struct net_ip *server, int64_t deadline_ns)
{
        if (server->family == 0 || count == SERVERS_MAX)
                return count;
        for (size_t i = 0; i < count; i++)
                if (net_ip_equal(&questions[i].server, server))
                        return count;
        questions[count] = (struct question){.server = *server, .deadline_ns = deadline_ns, .result = -ETIMEDOUT};
        return count + 1;
}

/* The one that the user named, which may be a name. */
static int add_named(struct question *questions, size_t *count, const char *name, int64_t deadline_ns)
{
        struct plait_addresses *found;
        struct net_ip ip;

        if (!name)
                return 0;
        if (net_ip_parse(name, &ip)) {
                *count = add_server(questions, *count, &ip, deadline_ns);
                return 0;
        }

        int r = plait_resolve(name, "123", deadline_ns, &found);

        if (r == -ECANCELED)
                return r;
        if (r == 0) {
                ip = net_ip_of(&found->at[0].as.any);
                *count = add_server(questions, *count, &ip, deadline_ns);
                plait_addresses_free(found);
        }
        return 0;
}

int net_clocks_ask(struct net_run *run, const struct net_ip *target, struct net_clocks *clocks, int64_t deadline_ns)
{
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct question questions[SERVERS_MAX];
        size_t count = 0;
        int r = add_named(questions, &count, run->options->ntp, deadline_ns);

        if (r < 0)
                return r;
        for (size_t i = 0; i < run->host.leases.count; i++)
                count = add_server(questions, count, &run->host.leases.at[i].ntp, deadline_ns);
        if (target)
                count = add_server(questions, count, target, deadline_ns);
        for (size_t i = 0; i < run->host.routes.count; i++)
                if (run->host.routes.at[i].prefix_bits == 0)
                        count = add_server(questions, count, &run->host.routes.at[i].gateway, deadline_ns);
        for (size_t i = 0; i < count; i++)
                questions[i].known = clocks;
        for (size_t i = 0; i < count; i++) {
                questions[i].scope = &scope;
                plait_scope_go(&scope, ask, &questions[i]);
        }
        (void)plait_scope_join(&scope);
        for (size_t i = 0; i < count; i++) {
                char text[NET_IP_TEXT];

                if (questions[i].result == 0)
                        net_clocks_add(clocks, questions[i].ahead_ns / NS, "SNTP at",
                                       net_ip_text(&questions[i].server, text));
        }
        return plait_cancelled();
}

void net_clocks_post(struct net_run *run, const struct net_clocks *clocks)
{
        struct net_fact fact = net_fact_make(NET_TLS, "clock.skew", NULL);
        int64_t ahead_s = 0;
        size_t which[2] = {0};
        bool says_right = false; /* one of them says that this machine's is */

        if (clocks->count == 0)
                return;
        for (size_t i = 0; i < clocks->count; i++)
                says_right |= llabs(clocks->at[i].ahead_s) < NET_CLOCK_WRONG_S;
        if (agree(clocks, &ahead_s, which) && (!says_right || llabs(ahead_s) < NET_CLOCK_WRONG_S)) {
                fact.number = ahead_s;
                if (llabs(ahead_s) >= NET_CLOCK_WRONG_S)
                        net_fact_fail(&fact, NET_CLOCK_SKEW, "%s and %s agree that this machine's clock is %lld s %s",
                                      clocks->at[which[0]].what, clocks->at[which[1]].what, llabs(ahead_s),
                                      ahead_s > 0 ? "ahead" : "behind");
                else
                        net_fact_ok(&fact, "right within %lld s, by %s and %s", llabs(ahead_s) + 1,
                                    clocks->at[which[0]].what, clocks->at[which[1]].what);
        } else {
                fact.number = clocks->at[0].ahead_s;
                if (llabs(fact.number) < NET_CLOCK_WRONG_S)
                        net_fact_ok(&fact, "right within %lld s, by %s", llabs(fact.number) + 1, clocks->at[0].what);
                else
                        net_fact_unknown(&fact,
                                         "%s differs by %lld s, and no other clock says the same: name one with --ntp",
                                         clocks->at[0].what, llabs(fact.number));
        }
        net_post(run, &fact);
}
