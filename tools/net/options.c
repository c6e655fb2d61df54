/*
 * The command line of `plait net`.
 */
#include "net/options.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <plait/base.h>

enum key {
        KEY_SELF = 256,
        KEY_LOAD,
        KEY_WATCH,
        KEY_PLAIN,
        KEY_JSON,
        KEY_ARP,
        KEY_LINKS,
        KEY_PATH,
        KEY_DNS,
        KEY_CACERT,
        KEY_PORTAL_URL,
        KEY_PORTAL_EXPECT,
        KEY_NTP,
};

static const struct argp_option known[] = {
        {NULL, 0, NULL, 0, "What to look at:", 1},
        {"self", KEY_SELF, NULL, 0, "This machine's own connectivity, as without a target", 1},
        {"ipv4", '4', NULL, 0, "IPv4 alone", 1},
        {"ipv6", '6', NULL, 0, "IPv6 alone", 1},
        {"load", KEY_LOAD, NULL, 0, "Also load the line for some seconds, to find queues that are too long", 1},

        {NULL, 0, NULL, 0, "One layer alone:", 2},
        {"links", KEY_LINKS, NULL, 0, "The interfaces and their addresses", 2},
        {"arp", KEY_ARP, NULL, 0, "The neighbours, with their link addresses and states", 2},
        {"dns", KEY_DNS, NULL, 0, "Every name server and what it answers", 2},
        {"path", KEY_PATH, NULL, 0, "The routers on the way", 2},

        {NULL, 0, NULL, 0, "What to go by:", 3},
        {"proxy", 'x', "URL", 0,
         "Proxy for http: and https: targets; '' for none (default: as http_proxy and the like say)", 3},
        {"cacert", KEY_CACERT, "FILE", 0, "Certificates to trust (PEM), in place of the system's", 3},
        {"ntp", KEY_NTP, "HOST", 0, "A time server to compare the clock with (default: those that DHCP leases name)",
         3},
        {"portal-url", KEY_PORTAL_URL, "URL", 0,
         "An http: page of your own that shows a captive portal when it is not there", 3},
        {"portal-expect", KEY_PORTAL_EXPECT, "TEXT", 0, "What that page has in it (default: it answers 204)", 3},

        {NULL, 0, NULL, 0, "Output:", 4},
        {"watch", KEY_WATCH, "TIME", OPTION_ARG_OPTIONAL, "Repeat each TIME (default 2 s) and show what changes", 4},
        {"verbose", 'v', NULL, 0, "All facts, the unknown ones with the reason", 4},
        {"plain", KEY_PLAIN, NULL, 0, "No colours and signs: for logs", 4},
        {"json", KEY_JSON, NULL, 0, "One JSON document", 4},
        {0},
};

static const char doc[] =
        "Say what is wrong with the network, on what evidence, and what to do. TARGET is a host, HOST:PORT or a URL."
        "\v"
        "Examples:\n"
        "  plait net                                this machine: links, addresses, leases, gateway, name servers\n"
        "  plait net https://example.org/           all the way to a page\n"
        "  plait net mail.example.org:25            a service\n"
        "  plait net --path example.org             the routers on the way, all at once\n"
        "  plait net --watch=5s --plain db.example.org:5432\n"
        "\n"
        "Exit status: 0 healthy, 1 a fault was found, 2 wrong usage, 3 it cannot be told, 130 or 143 interrupted.\n"
        "plait-net(1) explains each verdict.";

static int64_t parse_time(const char *text, struct argp_state *state)
{
        static const struct {
                const char *name;
                double seconds;
        } units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
        char *end = NULL;
        double value = strtod(text, &end);

        for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++)
                if (strcmp(end, units[i].name) == 0 && isfinite(value) && value * units[i].seconds >= 0.1 &&
                    value * units[i].seconds <= 1e8)
                        return (int64_t)(value * units[i].seconds * 1e9);
        argp_error(state, "--watch takes a time such as 5, 500ms or 1m, at least 100ms, not '%s'", text);
        return 0;
}

static void set_view(struct net_options *options, enum net_view view, struct argp_state *state)
{
        if (options->view != NET_VIEW_ALL && options->view != view)
                argp_error(state, "--links, --arp, --dns and --path exclude each other");
        options->view = view;
}

static int parse_look(struct net_options *options, int key, char *arg, struct argp_state *state)
{
        switch (key) {
        case KEY_LINKS: set_view(options, NET_VIEW_LINKS, state); break;
        case KEY_ARP: set_view(options, NET_VIEW_ARP, state); break;
        case KEY_DNS: set_view(options, NET_VIEW_DNS, state); break;
        case KEY_PATH: set_view(options, NET_VIEW_PATH, state); break;
        case 'x': options->proxy = arg; break;
        case KEY_CACERT: options->ca_file = arg; break;
        case KEY_NTP: options->ntp = arg; break;
        case KEY_PORTAL_URL: options->portal_url = arg; break;
        case KEY_PORTAL_EXPECT: options->portal_expect = arg; break;
        default: return ARGP_ERR_UNKNOWN;
        }
        return 0;
}

static void check(const struct net_options *options, struct argp_state *state)
{
        if (options->self && options->target)
                argp_error(state, "--self is about this machine alone: leave '%s' out", options->target);
        if (options->ipv4_only && options->ipv6_only)
                argp_error(state, "-4 and -6 exclude each other");
        if (options->view == NET_VIEW_PATH && !options->target)
                argp_error(state, "--path needs a target");
        if (options->load && (!options->target || options->view != NET_VIEW_ALL))
                argp_error(state, "--load needs a target, and goes with no single layer");
        if (options->portal_expect && !options->portal_url)
                argp_error(state, "--portal-expect is about the page that --portal-url names");
        if (options->portal_url && strncmp(options->portal_url, "http://", 7) != 0)
                argp_error(state, "--portal-url is an http:// URL: a portal cannot answer for an https: one");
        if (options->json && options->plain)
                argp_error(state, "--json and --plain exclude each other");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
        struct net_options *options = state->input;

        switch (key) {
        case KEY_SELF: options->self = true; break;
        case '4': options->ipv4_only = true; break;
        case '6': options->ipv6_only = true; break;
        case KEY_LOAD: options->load = true; break;
        case KEY_WATCH:
                options->watch = true;
                options->interval_ns = arg ? parse_time(arg, state) : 2000000000LL;
                break;
        case 'v': options->verbose = true; break;
        case KEY_PLAIN: options->plain = true; break;
        case KEY_JSON: options->json = true; break;
        case ARGP_KEY_ARG:
                if (options->target)
                        argp_error(state, "one target at a time: '%s' or '%s'", options->target, arg);
                options->target = arg;
                break;
        case ARGP_KEY_END: check(options, state); break;
        default: return parse_look(options, key, arg, state);
        }
        return 0;
}

void net_options_parse(struct net_options *options, int argc, char **argv)
{
        static const struct argp argp = {.options = known, .parser = parse, .args_doc = "[TARGET]", .doc = doc};

        argp_err_exit_status = 2;
        argp_program_version = "plait " PLAIT_VERSION;
        argp_parse(&argp, argc, argv, 0, NULL, options);
}
