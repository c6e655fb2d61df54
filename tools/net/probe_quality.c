/*
 * Probes of how well packets get through: loss, time and its variation, and what becomes of them under load.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <plait/scope.h>
#include <plait/task.h>
#include <plait/time.h>

#include "net/each.h"
#include "net/load.h"
#include "net/probes.h"
#include "net/series.h"

/* 10 % of loss is found nine times out of ten; three lost are no accident. */
enum { PACKETS = 50, INTERVAL_MS = 20, WAIT_MS = 500, MEASURE_MS = 3000, LOST_MIN = 3 };
enum { LOAD_ADDS_MS = 100 };

static const char no_way[] = "echo requests are not allowed to this user, and no closed port answers; %s, or add the "
                             "user's group to net.ipv4.ping_group_range";

static void post_latency(struct net_run *run, const struct net_ip *ip, const struct net_series *series)
{
        struct net_series_stats stats;
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_QUALITY, "quality.latency", net_ip_text(ip, text));

        fact.family = ip->family;
        if (net_series_sum_up(series, &stats)) {
                fact.number = stats.median_ns / 1000;
                fact.ms = (double)stats.median_ns / 1e6;
                net_fact_ok(&fact, "min %.2f median %.2f p99 %.2f jitter %.2f ms", (double)stats.min_ns / 1e6,
                            (double)stats.median_ns / 1e6, (double)stats.p99_ns / 1e6, (double)stats.jitter_ns / 1e6);
        } else {
                net_fact_unknown(&fact, "nothing was answered");
        }
        net_post(run, &fact);
}

static void judge_loss(struct net_fact *fact, const struct net_series *series)
{
        const char *what = series->way == NET_SERIES_ICMP ? "echo requests" : "SYNs to a closed port";

        if (series->answered == 0 || series->sent < PACKETS / 2) {
                net_fact_unknown(fact, series->answered == 0
                                               ? "the target answers neither echo requests nor SYNs to closed ports"
                                               : "most answers had not come yet when the time was over");
                return;
        }
        fact->number = series->lost;
        if (series->lost < LOST_MIN) {
                net_fact_ok(fact, "%u of %u", series->lost, series->sent);
                return;
        }
        fact->number = series->lost * 100 / series->sent;
        net_fact_fail(fact, NET_LOSS, "%u of %u %s were not answered", series->lost, series->sent, what);
        net_fact_value(fact, "%u of %u", series->lost, series->sent);
}

static int measure(struct net_run *run, const struct net_ip *ip)
{
        struct net_series_opts opts = {.count = PACKETS,
                                       .interval_ns = INTERVAL_MS * 1000000LL,
                                       .wait_ns = WAIT_MS * 1000000LL,
                                       .deadline_ns = net_probe_deadline(run, MEASURE_MS)};
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_QUALITY, "quality.loss", net_ip_text(ip, text));
        struct net_series *series = malloc(sizeof *series);

        if (!series)
                return -ENOMEM;

        int r = net_series_run(ip, &opts, series);

        fact.family = ip->family;
        if (r == 0) {
                judge_loss(&fact, series);
                post_latency(run, ip, series);
        } else if (r == -EACCES) {
                net_fact_unknown(&fact, no_way, net_raw_advice());
        } else if (r != -ECANCELED && r != -ETIMEDOUT) {
                net_fact_unknown(&fact, "it could not be measured: %s", strerrordesc_np(-r));
        }
        free(series);
        if (r == -ECANCELED || r == -ETIMEDOUT)
                return r;
        net_post(run, &fact);
        return 0;
}

int net_quality_probe(struct net_run *run)
{
        return net_each_address(run, 1, 128 << 10, measure);
}

bool net_load_wanted(const struct net_run *run, const struct net_fact *facts, size_t count)
{
        return run->options->load && net_is_direct(run, facts, count);
}

static void judge_load(struct net_fact *fact, const struct net_load *load)
{
        double idle_ms = (double)load->idle.median_ns / 1e6;
        double loaded_ms = (double)load->loaded.median_ns / 1e6;
        double mbit = load->seconds > 0 ? (double)load->bytes * 8 / 1e6 / load->seconds : 0;

        fact->number = (load->loaded.median_ns - load->idle.median_ns) / 1000;
        if (!load->was_loaded) {
                net_fact_unknown(fact, "the target took no load: only %llu bytes in %.1f s",
                                 (unsigned long long)load->bytes, load->seconds);
                return;
        }
        if (loaded_ms - idle_ms < LOAD_ADDS_MS) {
                net_fact_ok(fact, "%.1f ms idle, %.1f ms under load, %.1f Mbit/s", idle_ms, loaded_ms, mbit);
                return;
        }
        fact->number /= 1000;
        net_fact_fail(fact, NET_BUFFERBLOAT,
                      "an answer takes %.0f ms when nothing else is sent, and %.0f ms beside "
                      "%.1f Mbit/s of uploads and downloads",
                      idle_ms, loaded_ms, mbit);
        net_fact_value(fact, "%.0f ms more", loaded_ms - idle_ms);
}

static int load(struct net_run *run, const struct net_ip *ip)
{
        struct net_load_opts opts = {.port = run->target.port,
                                     .tls = run->target.tls,
                                     .http = run->target.http,
                                     .host = run->target.host,
                                     .path = run->target.path,
                                     .authority = run->target.authority};
        struct net_load load;
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_QUALITY, "quality.load", net_ip_text(ip, text));
        int r = net_load_measure(ip, &opts, &load);

        if (r == -ECANCELED || r == -ETIMEDOUT)
                return r;
        fact.family = ip->family;
        if (r == 0)
                judge_load(&fact, &load);
        else if (r == -EACCES)
                net_fact_unknown(&fact, no_way, net_raw_advice());
        else
                net_fact_unknown(&fact, "it could not be measured: %s", strerrordesc_np(-r));
        net_post(run, &fact);
        return 0;
}

int net_load_probe(struct net_run *run)
{
        int count = net_run_addresses(run);

        if (count <= 0 || !run->target.has_port)
                return count < 0 ? count : 0;
        return load(run, &run->addresses[0]);
}
