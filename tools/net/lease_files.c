/*
 * Where DHCP clients keep their leases. An ordinary user may not read all of them; what cannot be read is not there.
 */
#include <glob.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/file.h"
#include "net/lease.h"

enum kind { NETWORKD, MANAGER, DHCLIENT, DHCPCD };

static const struct {
        const char *pattern;
        enum kind kind;
} places[] = {
        {"/run/systemd/netif/leases/*", NETWORKD},
        {"/var/lib/NetworkManager/internal-*.lease", MANAGER},
        {"/var/lib/NetworkManager/dhclient-*.lease", DHCLIENT},
        {"/var/lib/dhcp/dhclient*.leases", DHCLIENT},
        {"/var/lib/dhclient/dhclient*.lease*", DHCLIENT},
        {"/var/lib/dhcpcd/*.lease", DHCPCD},
        {"/var/lib/dhcpcd5/*.lease", DHCPCD},
};

/* The interface is in the file's name, up to the extension. */
static void name_interface(struct net_lease *lease, const char *name)
{
        size_t length = strcspn(name, ".");

        if (length > 0 && length < sizeof lease->interface)
                snprintf(lease->interface, sizeof lease->interface, "%.*s", (int)length, name);
}

static bool parse(enum kind kind, const char *path, struct net_lease *ret)
{
        const char *name = strrchr(path, '/') + 1;
        size_t length = 0;
        int64_t modified = 0;
        char *text = net_file_read(path, &length, &modified);
        bool found = false;

        if (!text)
                return false;
        switch (kind) {
        case NETWORKD:
        case MANAGER: found = net_lease_networkd(text, length, modified, ret); break;
        case DHCLIENT: found = net_lease_dhclient(text, length, ret); break;
        case DHCPCD: found = net_lease_message((const uint8_t *)text, length, modified, ret); break;
        }
        free(text);
        if (!found)
                return false;
        if (kind == NETWORKD)
                ret->link = (uint32_t)strtoul(name, NULL, 10);
        if (kind == MANAGER) {
                snprintf(ret->client, sizeof ret->client, "NetworkManager");
                name_interface(ret, strrchr(name, '-') ? strrchr(name, '-') + 1 : name);
        }
        if (kind == DHCPCD) { /* eth0.lease, or wlan0-NETWORK.lease */
                name_interface(ret, name);
                ret->interface[strcspn(ret->interface, "-")] = 0;
        }
        if (ret->link == 0 && *ret->interface)
                ret->link = if_nametoindex(ret->interface);
        return true;
}

void net_leases_read(struct net_leases *ret)
{
        ret->count = 0;
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
                glob_t found;
                if (glob(places[i].pattern, GLOB_NOSORT, NULL, &found) != 0)
                        continue;
                for (size_t j = 0; j < found.gl_pathc && ret->count < NET_LEASES_MAX; j++) {
                        ret->at[ret->count] = (struct net_lease){.expires = 0};
                        if (parse(places[i].kind, found.gl_pathv[j], &ret->at[ret->count]))
                                ret->count++;
                }
                globfree(&found);
        }
}
