/*
 * The conductor. Each probe is a task of one scope. The state of a probing is written by its task and read by the
 * conductor, atomically.
 */
#include "net/conductor.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <plait/scope.h>
#include <plait/time.h>

#include "net/probes.h"

#define PROBES_MAX 64
#define LINGER_NS 100000000LL

enum state { IDLE, STARTED, ENDED };

struct probing {
        struct net_run *run;
        const struct net_probe *probe;
        _Atomic int state;
};

struct conductor {
        struct net_run *run;
        struct plait_scope *scope;
        struct probing probings[PROBES_MAX];
        struct net_fact *facts; /* the last look at the board */
        size_t count;
        struct net_verdict verdict;
        net_provisional provisional;
        void *arg;
        bool shown; /* the provisional verdict */
};

/* A probe that could not do its work leaves its layer unknown, and says why. */
static void post_failure(const struct probing *probing, int r)
{
        struct net_fact fact = net_fact_make(probing->probe->layer, "probe", probing->probe->name);

        net_fact_unknown(&fact, "it could not be looked at: %s", strerrordesc_np(-r));
        net_post(probing->run, &fact);
}

static int probe(void *arg)
{
        struct probing *probing = arg;
        int r = probing->probe->probe(probing->run);

        if (r < 0 && r != -ECANCELED && r != -ETIMEDOUT)
                post_failure(probing, r);
        atomic_store(&probing->state, ENDED);
        plait_event_set(&probing->run->board.changed);
        return 0;
}

/* A view of one layer needs few probes. */
static bool is_in_view(const struct net_run *run, const struct net_probe *probe)
{
        bool names = probe->layer == NET_DNS && run->target.given;

        switch (run->options->view) {
        case NET_VIEW_LINKS: return probe->layer <= NET_ADDRESS && !(probe->flags & NET_CONFIRM);
        case NET_VIEW_ARP: return probe->layer == NET_NEIGHBOUR || names;
        case NET_VIEW_DNS: return probe->layer == NET_DNS;
        case NET_VIEW_PATH: return probe->layer == NET_PATH || names;
        default: return true;
        }
}

static void start(struct conductor *conductor, struct probing *probing)
{
        struct plait_task_opts opts = {
                .size = sizeof opts, .name = probing->probe->name, .stack_bytes = probing->probe->stack_bytes};

        atomic_store(&probing->state, STARTED);
        if (plait_scope_start(conductor->scope, probe, probing, &opts, NULL) < 0)
                atomic_store(&probing->state, ENDED); /* the scope is cancelled, and the wait tells */
}

static bool is_wanted(const struct conductor *conductor, const struct net_probe *probe)
{
        return is_in_view(conductor->run, probe) &&
               (!probe->wanted || probe->wanted(conductor->run, conductor->facts, conductor->count));
}

/* Starts what is to be started now: at first all but confirmations, later those that the facts call for. */
static void start_wanted(struct conductor *conductor, bool confirmations)
{
        for (size_t i = 0; i < net_probe_count; i++) {
                struct probing *probing = &conductor->probings[i];
                bool confirms = probing->probe->flags & NET_CONFIRM;
                if (confirms == confirmations && atomic_load(&probing->state) == IDLE &&
                    is_wanted(conductor, probing->probe))
                        start(conductor, probing);
        }
}

/* The layers with probes under way that have one of the flags (0: any). Those of optional ones do not count. */
static unsigned under_way(const struct conductor *conductor, unsigned flags)
{
        unsigned layers = 0;

        for (size_t i = 0; i < net_probe_count; i++) {
                const struct net_probe *probe = conductor->probings[i].probe;
                if (atomic_load(&conductor->probings[i].state) == STARTED && !(probe->flags & NET_OPTIONAL) &&
                    (flags == 0 || probe->flags & flags))
                        layers |= NET_LAYER_BIT(probe->layer);
        }
        return layers;
}

/* Takes stock. What is under way is looked at before the facts are: whoever has ended by then has posted before. */
static void judge(struct conductor *conductor, bool last)
{
        struct net_case facts = {.target = &conductor->run->target, .facts = conductor->facts};

        if (!last) {
                facts.gates = under_way(conductor, NET_GATE);
                facts.pending = under_way(conductor, 0);
        }
        facts.count = conductor->count = net_board_read(&conductor->run->board, conductor->facts, NET_FACTS_MAX);
        net_judge(&facts, &conductor->verdict);
}

static void write_result(const struct conductor *conductor, struct net_result *ret)
{
        ret->target = conductor->run->target;
        ret->verdict = conductor->verdict;
        ret->facts = conductor->facts;
        ret->count = conductor->count;
        ret->elapsed_ms = net_ms_since(conductor->run->begin_ns);
}

static void show_provisional(struct conductor *conductor)
{
        struct net_result result = {.interrupted = false};

        if (conductor->shown || !conductor->provisional)
                return;
        conductor->shown = true;
        write_result(conductor, &result);
        conductor->provisional(&result, conductor->arg);
}

/*
 * A certificate that is wrong does not keep the page from coming: what is wrong with that, too, mostly comes at once,
 * and is waited for a moment. Returns until when.
 */
static int64_t linger(const struct conductor *conductor, int64_t now)
{
        bool by_certificate = net_verdict_info(conductor->verdict.finding.code)->layer == NET_TLS;

        return by_certificate && under_way(conductor, 0) & NET_LAYER_BIT(NET_HTTP) ? now + LINGER_NS : 0;
}

/* Waits for facts and judges until the verdict is proven or time is up. Returns 0, or -ECANCELED from outside. */
static int follow(struct conductor *conductor)
{
        struct net_run *run = conductor->run;
        int64_t soft = run->begin_ns + NET_SOFT_NS;
        int64_t hard = run->begin_ns + (run->options->load ? NET_LOAD_NS : NET_HARD_NS);
        int64_t proven_ns = 0;

        for (;;) {
                judge(conductor, false);
                start_wanted(conductor, true);
                unsigned confirming = under_way(conductor, NET_CONFIRM);
                bool waits = confirming & net_verdict_info(conductor->verdict.finding.code)->waits;
                int64_t until = plait_now_ns() < soft ? soft : hard;
                if (conductor->verdict.proven && !waits) {
                        proven_ns = proven_ns ? proven_ns : plait_now_ns();
                        int64_t end = linger(conductor, proven_ns);
                        if (plait_now_ns() >= end)
                                return 0;
                        until = end < until ? end : until;
                }
                if (plait_now_ns() >= soft) {
                        if (confirming == 0 || plait_now_ns() >= hard)
                                return 0;
                        show_provisional(conductor);
                }
                int r = plait_event_wait(&run->board.changed, until);
                if (r == -ECANCELED)
                        return r;
                plait_event_clear(&run->board.changed);
        }
}

static int conduct(struct conductor *conductor)
{
        for (size_t i = 0; i < net_probe_count; i++)
                conductor->probings[i] = (struct probing){.run = conductor->run, .probe = &net_probes[i]};
        int r = plait_scope_open(conductor->scope);
        if (r < 0)
                return r;
        start_wanted(conductor, false);
        r = follow(conductor);
        judge(conductor, true);
        plait_scope_cancel(conductor->scope);
        plait_scope_join(conductor->scope);
        return r;
}

int net_conduct(const struct net_options *options, const struct net_target *target, struct plait_scope *scope,
                net_provisional provisional, void *arg, struct net_result *ret)
{
        struct net_run *run = malloc(sizeof *run);
        struct conductor *conductor = calloc(1, sizeof *conductor);
        struct net_fact *facts = calloc(NET_FACTS_MAX, sizeof *facts);

        if (!run || !conductor || !facts || net_run_init(run, options, target) < 0) {
                free(run);
                free(conductor);
                free(facts);
                return -ENOMEM;
        }
        *conductor = (struct conductor){
                .run = run, .scope = scope, .facts = facts, .provisional = provisional, .arg = arg};
        int r = conduct(conductor);
        *ret = (struct net_result){.interrupted = r == -ECANCELED};
        write_result(conductor, ret);
        net_run_done(run);
        free(run);
        free(conductor);
        return 0;
}

void net_result_done(struct net_result *result)
{
        free(result->facts);
        result->facts = NULL;
}
