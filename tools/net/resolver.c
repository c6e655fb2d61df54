/*
 * resolv.conf and the hosts file.
 */
#include "net/resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/file.h"
#include "net/line.h"

static void add_server(struct net_resolvers *resolvers, const char *text)
{
        struct net_ip ip;

        if (resolvers->count == NET_SERVERS_MAX || !net_ip_parse(text, &ip))
                return;
        for (size_t i = 0; i < resolvers->count; i++)
                if (net_ip_equal(&resolvers->servers[i], &ip))
                        return;
        resolvers->servers[resolvers->count++] = ip;
}

/* The last "search" or "domain" line counts, as in libc. */
static void take_search(struct net_resolvers *resolvers, struct net_line *line)
{
        char word[256];

        resolvers->search_count = 0;
        while (resolvers->search_count < NET_SEARCH_MAX && net_line_word(line, word, sizeof word))
                snprintf(resolvers->search[resolvers->search_count++], sizeof resolvers->search[0], "%s", word);
}

static void take_options(struct net_resolvers *resolvers, struct net_line *line)
{
        char word[256];

        while (net_line_word(line, word, sizeof word)) {
                const char *colon = strchr(word, ':');
                unsigned long number = colon ? strtoul(colon + 1, NULL, 10) : 0;
                if (strncmp(word, "ndots:", 6) == 0)
                        resolvers->ndots = number < 15 ? (unsigned)number : 15;
                else if (strncmp(word, "timeout:", 8) == 0)
                        resolvers->timeout_s = number < 30 ? (unsigned)number : 30;
                else if (strncmp(word, "attempts:", 9) == 0)
                        resolvers->attempts = number < 5 ? (unsigned)number : 5;
        }
}

void net_resolvers_parse(const char *text, size_t length, struct net_resolvers *ret)
{
        struct net_line line;
        char word[256];

        *ret = (struct net_resolvers){.ndots = 1, .attempts = 2, .timeout_s = 5};
        for (struct net_text rest = {text, length}; net_line_next(&rest, &line);) {
                if (!net_line_word(&line, word, sizeof word) || *word == '#' || *word == ';')
                        continue;
                if (strcmp(word, "nameserver") == 0 && net_line_word(&line, word, sizeof word))
                        add_server(ret, word);
                else if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0)
                        take_search(ret, &line);
                else if (strcmp(word, "options") == 0)
                        take_options(ret, &line);
        }
        ret->configured = ret->count;
}

static bool is_stub(const struct net_ip *ip)
{
        struct net_ip stub;

        return net_ip_parse("127.0.0.53", &stub) && net_ip_equal(ip, &stub);
}

/* What systemd-resolved asks in its turn: a fault there shows at the stub only as SERVFAIL or silence. */
static void add_servers_behind_stub(struct net_resolvers *resolvers)
{
        struct net_resolvers behind;
        size_t length = 0;
        char text[NET_IP_TEXT];
        char *file = net_file_read("/run/systemd/resolve/resolv.conf", &length, NULL);

        if (!file)
                return;
        net_resolvers_parse(file, length, &behind);
        for (size_t i = 0; i < behind.count; i++)
                add_server(resolvers, net_ip_text(&behind.servers[i], text));
        free(file);
}

void net_resolvers_read(struct net_resolvers *ret)
{
        size_t length = 0;
        char *file = net_file_read("/etc/resolv.conf", &length, NULL);

        net_resolvers_parse(file ? file : "", length, ret);
        ret->missing = !file;
        free(file);
        if (ret->count == 1 && is_stub(&ret->servers[0]))
                add_servers_behind_stub(ret);
}

size_t net_hosts_parse(const char *text, size_t length, const char *name, struct net_ip *ret, size_t room)
{
        struct net_line line;
        struct net_ip ip;
        char word[256];
        size_t count = 0;

        for (struct net_text rest = {text, length}; count < room && net_line_next(&rest, &line);) {
                if (!net_line_word(&line, word, sizeof word) || *word == '#' || !net_ip_parse(word, &ip))
                        continue;
                while (net_line_word(&line, word, sizeof word) && *word != '#')
                        if (strcasecmp(word, name) == 0) {
                                ret[count++] = ip;
                                break;
                        }
        }
        return count;
}

size_t net_hosts_find(const char *name, struct net_ip *ret, size_t room)
{
        size_t length = 0;
        char *file = net_file_read("/etc/hosts", &length, NULL);
        size_t count = file ? net_hosts_parse(file, length, name, ret, room) : 0;

        free(file);
        return count;
}
