/*
 * The name servers, each for itself: does it answer, how fast, and what does it say of the name? The first that knows
 * addresses lets the other probes begin.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <plait/fd.h>
#include <plait/scope.h>
#include <plait/socket.h>
#include <plait/time.h>

#include "net/dns_client.h"
#include "net/probes.h"

#define PATIENCE_MS 1300 /* silence for that long, through three questions, is none of a busy network */
#define SLOW_MS 200
#define SHORT_LIFE_S 300
#define NAMES_MAX (NET_SEARCH_MAX + 1)

/* What one server says. */
struct inquiry {
        struct names *names;
        const struct net_ip *server;
        bool configured; /* programs ask it; otherwise the local stub does */
        bool alive;
        enum net_symptom answer; /* NET_NO_SYMPTOM: addresses */
        struct net_ip addresses[NET_DNS_ANSWERS];
        size_t count;
        uint32_t ttl_s;  /* the least of the addresses' */
        char asked[300]; /* the name that the answer is about */
        double ms;
};

struct names {
        struct net_run *run;
        char at[NAMES_MAX][300]; /* to be tried in that order */
        size_t count;            /* 0: no name is to be looked up */
        struct inquiry inquiries[NET_SERVERS_MAX];
        pthread_mutex_t lock; /* held for moments: guards published */
        bool published;
};

/* The target's name, or its proxy's: what has to be looked up here. */
static const struct net_target *sought(const struct net_run *run)
{
        return net_run_is_proxied(run) ? &run->proxy.at : &run->target;
}

static bool is_allowed(const struct net_run *run, const struct net_ip *ip)
{
        return !(run->options->ipv4_only && ip->family != AF_INET) &&
               !(run->options->ipv6_only && ip->family != AF_INET6);
}

/* Takes up to four addresses of each family. */
static size_t choose(const struct net_run *run, const struct net_ip *from, size_t count, struct net_ip *to)
{
        size_t taken[2] = {0, 0};
        size_t chosen = 0;

        for (size_t i = 0; i < count; i++) {
                size_t family = from[i].family == AF_INET6;
                if (is_allowed(run, &from[i]) && taken[family] < NET_ADDRESSES_MAX / 2) {
                        taken[family]++;
                        to[chosen++] = from[i];
                }
        }
        return chosen;
}

static void publish(struct names *names, const struct net_ip *addresses, size_t count)
{
        struct net_run *run = names->run;
        struct net_ip chosen[NET_ADDRESSES_MAX];

        pthread_mutex_lock(&names->lock);
        bool first = !names->published;
        names->published = true;
        pthread_mutex_unlock(&names->lock);
        if (!first)
                return;
        size_t taken = choose(run, addresses, count, chosen);
        if (!net_run_is_proxied(run)) {
                net_run_set_addresses(run, chosen, taken);
                return;
        }
        run->proxy_address_count = taken;
        memcpy(run->proxy_addresses, chosen, taken * sizeof *chosen);
        plait_event_set(&run->proxied);
        net_run_set_addresses(run, NULL, 0); /* nothing goes to the target itself */
}

static void write_list(const struct net_ip *addresses, size_t count, char *text, size_t size)
{
        char one[NET_IP_TEXT];
        size_t used = 0;

        text[0] = 0;
        for (size_t i = 0; i < count && used < size; i++)
                used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "",
                                         net_ip_text(&addresses[i], one));
}

/* number: 1 when DNS was needed for it. */
static void post_addresses(struct net_run *run, const struct net_ip *addresses, size_t count, const char *source,
                           bool by_dns)
{
        struct net_fact fact = net_fact_make(NET_DNS, "name.addresses", sought(run)->host);
        char text[NET_VALUE_BYTES - 32];

        fact.number = by_dns;
        fact.ms = net_ms_since(run->begin_ns);
        write_list(addresses, count, text, sizeof text);
        if (count > 0)
                net_fact_ok(&fact, "%s (%s)", text, source);
        else
                net_fact_unknown(&fact, "no name server tells an address of %s", sought(run)->host);
        net_post(run, &fact);
}

/* The names to try, as libc does: with the search domains first if the name has few dots. */
static void list_names(struct names *names, const char *host)
{
        const struct net_resolvers *resolvers = &names->run->host.resolvers;
        size_t length = strlen(host);
        unsigned dots = 0;

        for (const char *p = host; *p; p++)
                dots += *p == '.';
        bool absolute = length > 0 && host[length - 1] == '.';
        bool first = absolute || dots >= resolvers->ndots;
        if (first)
                snprintf(names->at[names->count++], sizeof names->at[0], "%s", host);
        for (size_t i = 0; i < resolvers->search_count && !absolute; i++)
                snprintf(names->at[names->count++], sizeof names->at[0], "%.200s.%.90s", host, resolvers->search[i]);
        if (!first)
                snprintf(names->at[names->count++], sizeof names->at[0], "%s", host);
}

static enum net_symptom symptom_of(const struct net_dns_reply *reply, size_t questions)
{
        enum net_symptom symptom = NET_DNS_NODATA;

        for (size_t i = 0; i < questions; i++) {
                if (!reply->answered[i])
                        continue;
                switch (reply->answers[i].code) {
                case NET_DNS_OK: return NET_DNS_NODATA;
                case NET_DNS_NO_NAME: symptom = NET_DNS_NXDOMAIN; break;
                case NET_DNS_IS_REFUSED: symptom = NET_DNS_REFUSED; break;
                default: symptom = NET_DNS_SERVFAIL; break;
                }
        }
        return symptom;
}

static void collect(struct inquiry *inquiry, const struct net_dns_reply *reply, size_t questions)
{
        for (size_t i = questions; i-- > 0;) /* AAAA first, as programs prefer it */
                for (size_t j = 0; reply->answered[i] && j < reply->answers[i].count; j++)
                        if (inquiry->count < NET_DNS_ANSWERS) {
                                if (inquiry->count == 0 || reply->answers[i].ttl_s < inquiry->ttl_s)
                                        inquiry->ttl_s = reply->answers[i].ttl_s;
                                inquiry->addresses[inquiry->count++] = reply->answers[i].addresses[j];
                        }
        inquiry->answer = inquiry->count > 0 ? NET_NO_SYMPTOM : symptom_of(reply, questions);
}

static void post_server(const struct inquiry *inquiry, const struct net_dns_reply *reply, int r)
{
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_DNS, "dns.server", net_ip_text(inquiry->server, text));

        fact.family = inquiry->server->family;
        fact.from = reply->offender.family ? reply->offender : *inquiry->server;
        fact.number = inquiry->configured;
        fact.ms = reply->ms;
        if (r == 0)
                net_fact_ok(&fact, "answers in %.1f ms%s%s", reply->ms, reply->by_tcp ? ", by TCP" : "",
                            inquiry->configured ? "" : ", behind the local stub");
        else if (reply->symptom != NET_NO_SYMPTOM)
                net_fact_fail(&fact, reply->symptom, "%s", reply->why);
        else
                net_fact_unknown(&fact, "%s", *reply->why ? reply->why : strerrordesc_np(-r));
        net_post(inquiry->names->run, &fact);
}

static void post_answer(const struct inquiry *inquiry)
{
        static const char *const words[] = {"NXDOMAIN", "NODATA", "SERVFAIL", "REFUSED"};
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_DNS, "dns.answer", net_ip_text(inquiry->server, text));

        fact.family = inquiry->server->family;
        fact.from = *inquiry->server;
        fact.ms = inquiry->ms;
        if (inquiry->answer == NET_NO_SYMPTOM) {
                fact.state = NET_OK;
                write_list(inquiry->addresses, inquiry->count, fact.value, sizeof fact.value);
        } else {
                const char *word = words[inquiry->answer - NET_DNS_NXDOMAIN];
                net_fact_value(&fact, "%s", word);
                net_fact_fail(&fact, inquiry->answer, "%s answers %s for %s", text, word, inquiry->asked);
        }
        net_post(inquiry->names->run, &fact);
}

/* How long a connection to the server's port 53 takes, refused or not: what the way alone takes. Negative: unknown. */
static double measure_way(const struct net_ip *server, int64_t deadline_ns)
{
        struct plait_address to = net_ip_address(server, 53);
        int64_t begin = plait_now_ns();
        int fd = plait_socket(server->family, SOCK_STREAM, 0);

        if (fd < 0)
                return -1;
        int r = plait_connect(fd, &to.as.any, to.length, deadline_ns);
        plait_close(fd);
        return r == 0 || r == -ECONNREFUSED ? net_ms_since(begin) : -1;
}

/* A slow answer is asked for again: by now the server has it at hand. What the way takes is not the server's fault. */
static void judge_speed(struct inquiry *inquiry, const uint16_t *types, int64_t deadline_ns)
{
        char text[NET_IP_TEXT];
        struct net_fact fact = net_fact_make(NET_DNS, "dns.speed", net_ip_text(inquiry->server, text));
        struct net_dns_reply reply;

        fact.family = inquiry->server->family;
        if (inquiry->ms <= SLOW_MS) {
                net_fact_ok(&fact, "%.1f ms", inquiry->ms);
        } else {
                double way = measure_way(inquiry->server, deadline_ns);
                int r = net_dns_ask(inquiry->server, inquiry->asked, types, 1, true, deadline_ns, &reply);
                double slower = r == 0 ? reply.ms : -1;
                fact.number = (int64_t)slower;
                if (r == -ECANCELED)
                        return;
                if (r == 0 && slower - (way > 0 ? way : 0) > SLOW_MS && way >= 0)
                        net_fact_fail(&fact, NET_DNS_SLOW,
                                      "%s took %.0f ms, and %.0f ms when asked again; the way there "
                                      "takes %.0f ms",
                                      text, inquiry->ms, slower, way);
                else if (r == 0 && way >= 0)
                        net_fact_ok(&fact, "%.0f ms at first, %.0f ms when asked again", inquiry->ms, slower);
                else
                        net_fact_unknown(&fact, "%.0f ms at first; it could not be measured again", inquiry->ms);
        }
        fact.ms = inquiry->ms;
        net_post(inquiry->names->run, &fact);
}

/* Only asks whether the server is there, without sending it anywhere. */
static int ask_alive(struct inquiry *inquiry, int64_t deadline_ns)
{
        static const uint16_t types[] = {NET_DNS_NS};
        struct net_dns_reply reply;
        int r = net_dns_ask(inquiry->server, ".", types, 1, false, deadline_ns, &reply);

        if (r == -ECANCELED)
                return r;
        inquiry->alive = r == 0;
        post_server(inquiry, &reply, r);
        return 0;
}

static int ask_name(struct inquiry *inquiry, int64_t deadline_ns)
{
        static const uint16_t types[] = {NET_DNS_A, NET_DNS_AAAA};
        struct net_dns_reply reply = {.ms = -1};

        for (size_t i = 0; i < inquiry->names->count; i++) {
                snprintf(inquiry->asked, sizeof inquiry->asked, "%s", inquiry->names->at[i]);
                int r = net_dns_ask(inquiry->server, inquiry->asked, types, 2, true, deadline_ns, &reply);
                if (r == -ECANCELED)
                        return r;
                if (i == 0 || r == 0)
                        post_server(inquiry, &reply, r);
                if (r < 0)
                        return 0;
                inquiry->alive = true;
                inquiry->ms = reply.ms;
                enum net_symptom before = inquiry->answer;
                collect(inquiry, &reply, 2);
                if (inquiry->answer == NET_NO_SYMPTOM)
                        break;
                if (i > 0 && before != NET_DNS_NXDOMAIN) /* the first answer that says more stands */
                        inquiry->answer = before;
        }
        if (inquiry->count > 0)
                publish(inquiry->names, inquiry->addresses, inquiry->count);
        post_answer(inquiry);
        judge_speed(inquiry, types, deadline_ns);
        return 0;
}

static int inquire(void *arg)
{
        struct inquiry *inquiry = arg;
        int64_t limit = plait_in_ms(PATIENCE_MS);
        int64_t deadline = limit < inquiry->names->run->deadline_ns ? limit : inquiry->names->run->deadline_ns;

        return inquiry->configured && inquiry->names->count > 0 ? ask_name(inquiry, deadline)
                                                                : ask_alive(inquiry, deadline);
}

static bool all_private(const struct inquiry *inquiry)
{
        for (size_t i = 0; i < inquiry->count; i++)
                if (!net_ip_is_private(&inquiry->addresses[i]))
                        return false;
        return inquiry->count > 0;
}

static bool has_family(const struct inquiry *inquiry, int family)
{
        for (size_t i = 0; i < inquiry->count; i++)
                if (inquiry->addresses[i].family == family)
                        return true;
        return false;
}

static bool share_address(const struct inquiry *one, const struct inquiry *other)
{
        for (size_t i = 0; i < one->count; i++)
                for (size_t j = 0; j < other->count; j++)
                        if (net_ip_equal(&one->addresses[i], &other->addresses[j]))
                                return true;
        return false;
}

/*
 * Whether two answers without a common address are about different things. Large sites tell everybody other addresses,
 * but with short lives, of the same families, and all of them public.
 */
static bool are_strangers(const struct inquiry *one, const struct inquiry *other)
{
        if (one->count == 0 || other->count == 0 || share_address(one, other))
                return false;
        return all_private(one) != all_private(other) || (one->ttl_s > SHORT_LIFE_S && other->ttl_s > SHORT_LIFE_S) ||
               has_family(one, AF_INET) != has_family(other, AF_INET) ||
               has_family(one, AF_INET6) != has_family(other, AF_INET6);
}

/*
 * That a name exists for one server and not for the other is a disagreement, and so are answers that have nothing in
 * common.
 */
static void judge_agreement(struct names *names, size_t count)
{
        struct net_fact fact = net_fact_make(NET_DNS, "dns.agreement", sought(names->run)->host);
        const struct inquiry *one = NULL;
        char first[NET_IP_TEXT];
        char second[NET_IP_TEXT];

        for (size_t i = 0; i < count; i++) {
                const struct inquiry *other = &names->inquiries[i];
                if (!other->alive || !*other->asked || other->answer == NET_DNS_SERVFAIL ||
                    other->answer == NET_DNS_REFUSED)
                        continue;
                if (!one) {
                        one = other;
                        continue;
                }
                if (fact.state == NET_UNKNOWN)
                        net_fact_ok(&fact, "all say the same");
                net_ip_text(one->server, first);
                net_ip_text(other->server, second);
                if ((one->answer == NET_NO_SYMPTOM) != (other->answer == NET_NO_SYMPTOM))
                        net_fact_fail(&fact, NET_DNS_DISAGREE, "%s knows the name, %s does not",
                                      one->answer == NET_NO_SYMPTOM ? first : second,
                                      one->answer == NET_NO_SYMPTOM ? second : first);
                else if (are_strangers(one, other)) {
                        fact.number = 1; /* the addresses themselves are in dispute */
                        net_fact_fail(&fact, NET_DNS_DISAGREE, "what %s and %s tell has nothing in common", first,
                                      second);
                }
        }
        if (fact.state != NET_UNKNOWN)
                net_post(names->run, &fact);
}

/* What needs no server: an address, the hosts file, localhost. Leaves the names to ask for otherwise. */
static void find_here(struct names *names)
{
        struct net_run *run = names->run;
        const struct net_target *target = sought(run);
        struct net_ip found[NET_ADDRESSES_MAX];
        size_t count = 0;
        const char *source = "an address";

        if (!run->target.given) {
                publish(names, NULL, 0);
                return;
        }
        if (target->literal) {
                found[count++] = target->ip;
        } else {
                source = "/etc/hosts";
                count = net_hosts_find(target->host, found, NET_ADDRESSES_MAX);
                if (count == 0 && strcasecmp(target->host, "localhost") == 0) {
                        source = "RFC 6761";
                        net_ip_parse("127.0.0.1", &found[count++]);
                }
        }
        if (count > 0) {
                publish(names, found, count);
                post_addresses(run, found, count, source, false);
        } else {
                list_names(names, target->host);
        }
}

static void post_no_servers(struct names *names)
{
        struct net_fact fact = net_fact_make(NET_DNS, "dns.server", NULL);

        if (names->count == 0 && names->run->target.given)
                net_fact_unknown(&fact, "none is configured, and none is needed");
        else
                net_fact_fail(&fact, NET_DNS_NO_SERVERS, "/etc/resolv.conf %s",
                              names->run->host.resolvers.missing ? "is not there" : "names no server");
        net_post(names->run, &fact);
}

static void post_found(struct names *names, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                const struct inquiry *inquiry = &names->inquiries[i];
                char source[NET_IP_TEXT];
                if (inquiry->count == 0)
                        continue;
                post_addresses(names->run, inquiry->addresses, inquiry->count, net_ip_text(inquiry->server, source),
                               true);
                return;
        }
        post_addresses(names->run, NULL, 0, "", true);
}

int net_dns_probe(struct net_run *run)
{
        const struct net_resolvers *resolvers = &run->host.resolvers;
        struct plait_scope scope = PLAIT_SCOPE_INIT;
        struct names *names = calloc(1, sizeof *names);

        if (!names)
                return -ENOMEM;
        names->run = run;
        pthread_mutex_init(&names->lock, NULL);
        find_here(names);
        if (resolvers->count == 0)
                post_no_servers(names);
        for (size_t i = 0; i < resolvers->count; i++) {
                names->inquiries[i] = (struct inquiry){
                        .names = names, .server = &resolvers->servers[i], .configured = i < resolvers->configured};
                plait_scope_go(&scope, inquire, &names->inquiries[i]);
        }
        int r = plait_scope_join(&scope);
        if (r == 0 && names->count > 0) {
                post_found(names, resolvers->count);
                judge_agreement(names, resolvers->count);
        }
        publish(names, NULL, 0);
        pthread_mutex_destroy(&names->lock);
        free(names);
        return r;
}
