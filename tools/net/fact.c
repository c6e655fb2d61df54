/*
 * Facts: how they are made, and the names of what they hold.
 */
#include "net/fact.h"

#include <stdarg.h>
#include <stdio.h>

struct net_fact net_fact_make(enum net_layer layer, const char *name, const char *subject)
{
        struct net_fact fact = {.layer = layer, .ms = -1};

        snprintf(fact.name, sizeof fact.name, "%s", name);
        if (subject)
                snprintf(fact.subject, sizeof fact.subject, "%s", subject);
        return fact;
}

void net_fact_ok(struct net_fact *fact, const char *value, ...)
{
        va_list args;

        fact->state = NET_OK;
        fact->symptom = NET_NO_SYMPTOM;
        va_start(args, value);
        // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start() here
        vsnprintf(fact->value, sizeof fact->value, value, args);
        va_end(args);
}

void net_fact_fail(struct net_fact *fact, enum net_symptom symptom, const char *why, ...)
{
        va_list args;

        fact->state = NET_FAIL;
        fact->symptom = symptom;
        va_start(args, why);
        // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start() here
        vsnprintf(fact->why, sizeof fact->why, why, args);
        va_end(args);
}

void net_fact_unknown(struct net_fact *fact, const char *why, ...)
{
        va_list args;

        fact->state = NET_UNKNOWN;
        fact->symptom = NET_NO_SYMPTOM;
        va_start(args, why);
        // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start() here
        vsnprintf(fact->why, sizeof fact->why, why, args);
        va_end(args);
}

void net_fact_value(struct net_fact *fact, const char *value, ...)
{
        va_list args;

        va_start(args, value);
        // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 does not see va_start() here
        vsnprintf(fact->value, sizeof fact->value, value, args);
        va_end(args);
}

const char *net_layer_name(enum net_layer layer)
{
        static const char *const names[NET_LAYERS] = {
                [NET_LINK] = "link",       [NET_ADDRESS] = "address",
                [NET_ROUTE] = "route",     [NET_NEIGHBOUR] = "neighbour",
                [NET_DNS] = "dns",         [NET_PATH] = "path",
                [NET_TCP] = "tcp",         [NET_MTU] = "mtu",
                [NET_QUALITY] = "quality", [NET_PROXY] = "proxy",
                [NET_TLS] = "tls",         [NET_HTTP] = "http",
        };

        return layer < NET_LAYERS ? names[layer] : "none";
}

const char *net_state_name(enum net_state state)
{
        return state == NET_OK ? "ok" : state == NET_FAIL ? "fail" : "unknown";
}
