/* What the lock-order detector says. */
#include <stdio.h>

#include "plat/unwind.h"
#include "sync/order_graph.h"
#include "sync/report.h"

enum { LABEL_BYTES = 200 };

static struct pl_report report;

static void label(char *buf, size_t n, uint16_t node, const void *lock)
{
        const struct pl_order_node *class = &pl_order_nodes[node];
        unsigned level = node % PL_ORDER_LEVELS;
        char site[160], at_level[24] = "";

        if (node >= PL_ORDER_FIRST_LOCK) {
                if (pl_plat_is_static(lock)) {
                        pl_plat_describe_data(lock, site, sizeof site);
                        snprintf(buf, n, "lock %p, %s", lock, site);
                } else {
                        snprintf(buf, n, "lock %p", lock);
                }
                return;
        }
        if (level)
                snprintf(at_level, sizeof at_level, ", level %u", level);
        snprintf(buf, n, "lock %p of class '%s'%s", lock, class->name, at_level);
}

static void add_edge(const struct pl_order_edge *edge, bool now)
{
        char from[LABEL_BYTES], to[LABEL_BYTES];

        label(from, sizeof from, edge->from, edge->from_lock);
        label(to, sizeof to, edge->to, edge->to_lock);
        pl_report_add(&report, "  %s, holding %s%s, %s %s%s:\n", edge->who, from, edge->from_shared ? " (shared)" : "",
                      now ? "now takes" : "took", to, edge->to_shared ? " (shared)" : "");
        pl_report_stack(&report, edge->frames, edge->n_frames, "      ");
}

static const char *verdict(const struct pl_order_cycle *cycle)
{
        if (cycle->one_flow)
                return "weak: one task or thread took them in both orders, which alone cannot deadlock";
        if (cycle->fresh)
                return "weak: it cannot deadlock if one of them was new at that time and known to nobody else";
        return "two tasks or threads that do this at the same time deadlock";
}

void pl_order_report(const struct pl_order_cycle *cycle)
{
        report.n = 0;
        pl_report_add(&report, "plait: lock order: %u locks are taken in a circle (%s)\n", cycle->n, verdict(cycle));
        for (unsigned i = 1; i < cycle->n; i++)
                add_edge(cycle->edges[i], false);
        add_edge(cycle->edges[0], true);
        pl_report_add(&report, "  Take them in the same order everywhere, or at once with plait_lock_all().\n");
        pl_report_write(&report);
}
