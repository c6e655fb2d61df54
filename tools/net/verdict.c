/*
 * The verdicts, one table: what each is called, where it stands, and what is said of it.
 */
#include "net/verdict.h"

#define WAIT(layer) NET_LAYER_BIT(NET_##layer)

static const struct net_verdict_info table[NET_CODES] = {
        [NET_HEALTHY] = {"healthy", NET_HTTP, false, NET_LAYERS_ALL, "%t is reached without a fault", ""},
        [NET_UNDECIDED] = {"unknown", NET_LINK, false, NET_LAYERS_ALL, "it cannot be told what is wrong",
                           "Run it as root, or with the capability that the unknown facts name, and with -v."},

        /* link */
        [NET_V_NO_LINK] = {"no-link", NET_LINK, false, 0, "this machine has no network interface but the loopback",
                           "Check that the network card is there (ip link, lspci) and its driver is loaded."},
        [NET_V_LINK_ADMIN_DOWN] = {"link-admin-down", NET_LINK, false, 0, "the interface %s is switched off",
                                   "Switch it on: ip link set %s up (nmcli or networkctl, where those manage it)."},
        [NET_V_NO_CARRIER] = {"no-carrier", NET_LINK, false, 0, "%s has no carrier: nothing is at the other end",
                              "Check the cable, the switch port, or the association with the wireless network."},

        /* address */
        [NET_V_NO_ADDRESS] = {"no-address", NET_ADDRESS, false, WAIT(ADDRESS), "%s has no IP address",
                              "Start the DHCP client of %s or give it an address: ip address add ADDRESS/BITS dev %s."},
        [NET_V_APIPA] = {"apipa", NET_ADDRESS, false, WAIT(ADDRESS),
                         "%s has only an address it gave itself (169.254/16): no DHCP server gave it one",
                         "Check that the DHCP server runs and that this network reaches it; then ask it again."},
        [NET_V_DHCP_NO_SERVER] = {"dhcp-no-server", NET_ADDRESS, false, WAIT(ADDRESS),
                                  "no DHCP server offers %s an address",
                                  "Check that the DHCP server runs, that its pool has addresses left, and that the "
                                  "VLAN or relay on the way is right."},
        [NET_V_LEASE_EXPIRED] = {"lease-expired", NET_ADDRESS, false, WAIT(ADDRESS), "the lease of %s has expired",
                                 "Restart the DHCP client; if it gets no answer, check the DHCP server."},
        [NET_V_DUPLICATE_ADDRESS] = {"duplicate-address", NET_ADDRESS, false, WAIT(TCP),
                                     "another machine uses this machine's address %s",
                                     "Give one of the two another address; the evidence names the other's MAC."},
        [NET_V_ROGUE_DHCP] = {"rogue-dhcp", NET_ADDRESS, true, WAIT(ADDRESS),
                              "%n DHCP servers answer on %s, and only one of them can be right",
                              "Find the one that does not belong there by the addresses in the evidence; take it off."},

        /* route */
        [NET_V_NO_DEFAULT_ROUTE] = {"no-default-route", NET_ROUTE, false, WAIT(DNS), "no route leads to %s",
                                    "Add a default route: ip route add default via GATEWAY, or have DHCP give one."},
        [NET_V_UNREACHABLE_ROUTE] = {"unreachable-route", NET_ROUTE, false, WAIT(DNS),
                                     "this machine's routing table says that %s is unreachable",
                                     "Remove the route (ip route get shows it), or find out who added it."},
        [NET_V_PROHIBIT_ROUTE] = {"prohibit-route", NET_ROUTE, false, WAIT(DNS),
                                  "this machine's routing table prohibits going to %s",
                                  "Remove the prohibit route (ip route, ip rule), or find out who added it."},
        [NET_V_BLACKHOLE_ROUTE] = {"blackhole-route", NET_ROUTE, false, WAIT(DNS),
                                   "this machine's routing table throws away what is for %s",
                                   "Remove the blackhole route (ip route), or find out who added it."},
        [NET_V_BAD_GATEWAY] = {"bad-gateway", NET_ROUTE, false, WAIT(ADDRESS) | WAIT(NEIGHBOUR) | WAIT(DNS),
                               "the gateway %f is in no network that this machine is in",
                               "Correct the gateway, or the address and prefix length of the interface."},

        /* neighbour */
        [NET_V_GATEWAY_NO_ARP] = {"gateway-no-arp", NET_NEIGHBOUR, false, WAIT(ADDRESS) | WAIT(DNS),
                                  "the gateway %f does not answer: it is off, or not on this network",
                                  "Check the gateway, the VLAN of this port, and that the gateway's address is right."},
        [NET_V_TARGET_NO_ARP] = {"target-no-arp", NET_NEIGHBOUR, false, WAIT(DNS),
                                 "%f should be on this network, but nobody there has that address",
                                 "Check that the machine is on, that its address is right, and the prefix length."},

        /* DNS */
        [NET_V_DNS_NO_SERVERS] = {"dns-no-servers", NET_DNS, false, WAIT(NEIGHBOUR), "no name server is configured",
                                  "Name one in /etc/resolv.conf, or have DHCP give one."},
        [NET_V_DNS_DEAD] = {"dns-dead", NET_DNS, false, WAIT(NEIGHBOUR), "no name server answers (%s)",
                            "Check the servers and the way to them, or name others in /etc/resolv.conf."},
        [NET_V_DNS_NOT_LISTENING] = {"dns-not-listening", NET_DNS, false, WAIT(NEIGHBOUR),
                                     "the machine of the name server %s answers, but nothing listens on port 53",
                                     "Start the name server there, or name another in /etc/resolv.conf."},
        [NET_V_DNS_PARTIAL] = {"dns-partial", NET_DNS, true, WAIT(DNS), "the name server %s does not answer; others do",
                               "Mend it or take it out of /etc/resolv.conf: a program waits 5 s for it each time."},
        [NET_V_DNS_NXDOMAIN] = {"dns-nxdomain", NET_DNS, false, WAIT(NEIGHBOUR), "there is no name %s",
                                "Check the spelling; if it is right, the name's owner has to publish it."},
        [NET_V_DNS_NODATA] = {"dns-nodata", NET_DNS, false, WAIT(NEIGHBOUR), "the name %s exists, but has no address",
                              "Its owner has to publish an A or AAAA record."},
        [NET_V_DNS_SERVFAIL] = {"dns-servfail", NET_DNS, false, WAIT(NEIGHBOUR),
                                "the name servers fail to look up %s (SERVFAIL)",
                                "The servers of that domain are broken or its DNSSEC is; ask its owner, or wait."},
        [NET_V_DNS_REFUSED] = {"dns-refused", NET_DNS, false, WAIT(NEIGHBOUR),
                               "the name servers refuse to answer for %s (REFUSED)",
                               "Use a name server that serves this network; this one is for others."},
        [NET_V_DNS_MALFORMED] = {"dns-malformed", NET_DNS, false, WAIT(NEIGHBOUR),
                                 "what the name server %s answers is no DNS message",
                                 "Something else listens there, or changes the answers on the way."},
        [NET_V_DNS_SPLIT] = {"dns-split", NET_DNS, true, WAIT(DNS), "the name servers disagree about %s",
                             "Name only servers that know the same names in /etc/resolv.conf: which one is asked "
                             "is chance."},
        [NET_V_DNS_SLOW] = {"dns-slow", NET_DNS, true, WAIT(DNS), "the name server %s takes %n ms to answer",
                            "Use one that is nearer, or a caching one on this machine."},

        /* path */
        [NET_V_UNREACHABLE_AT] = {"unreachable-at", NET_PATH, false, 0, "%f says that it cannot reach %s",
                                  "The fault is at or behind that router: tell its operator."},
        [NET_V_ADMIN_PROHIBITED_AT] = {"admin-prohibited-at", NET_PATH, false, 0, "%f forbids going to %s",
                                       "A filter there forbids it: ask its operator to allow it."},
        [NET_V_ROUTING_LOOP] = {"routing-loop", NET_PATH, false, 0, "packets for %s go in circles at %f",
                                "The routers in the evidence send to each other: tell their operator."},

        /* TCP */
        [NET_V_LOCAL_FIREWALL] = {"local-firewall", NET_TCP, false, 0, "this machine's own filter rejects going to %s",
                                  "Look for it with nft list ruleset or iptables -S OUTPUT, and allow it."},
        [NET_V_REFUSED] = {"refused", NET_TCP, false, 0,
                           "%s refuses the connection: nothing listens on that port, or a firewall sends resets",
                           "Check that the service runs and on which address and port it listens (ss -ltn there)."},
        [NET_V_REJECTED_BY] = {"rejected-by", NET_TCP, false, 0, "%f, on the way, rejects connections to %s",
                               "A filter there rejects them: ask its operator to allow the port."},
        [NET_V_FILTERED] = {"filtered", NET_TCP, false, WAIT(NEIGHBOUR) | WAIT(PATH) | WAIT(TCP),
                            "%s is up, but does not answer on that port: a filter drops the packets",
                            "Allow the port in the firewall of that machine or before it."},
        [NET_V_HOST_SILENT] = {"host-silent", NET_TCP, false, WAIT(NEIGHBOUR) | WAIT(PATH) | WAIT(TCP),
                               "%s does not answer at all: it is off, unreachable, or drops everything",
                               "Check that it is on and that its address is right; the path shows how far one gets."},
        [NET_V_IPV6_BROKEN] = {"ipv6-broken", NET_TCP, true, WAIT(DNS) | WAIT(PATH) | WAIT(TCP),
                               "IPv6 to %s does not work, IPv4 does",
                               "Mend IPv6 or take it out: each connection first waits 250 ms for it, or longer."},
        [NET_V_IPV4_BROKEN] = {"ipv4-broken", NET_TCP, true, WAIT(DNS) | WAIT(PATH) | WAIT(TCP),
                               "IPv4 to %s does not work, IPv6 does",
                               "Mend IPv4: programs and users that have no IPv6 cannot get there."},

        /* MTU */
        [NET_V_MTU_BLACK_HOLE] =
                {"mtu-black-hole", NET_MTU, false, WAIT(MTU),
                 "packets of more than %n bytes vanish on the way to %s, and nobody says so",
                 "Let ICMP type 3 code 4 (IPv6: type 2) pass on the way, or lower the MTU here to %n."},

        /* quality */
        [NET_V_LOSS] = {"loss", NET_QUALITY, true, WAIT(QUALITY), "%n % of the packets to %s are lost",
                        "Look for a full or faulty line on the way; wireless ones first."},
        [NET_V_BUFFERBLOAT] = {"bufferbloat", NET_QUALITY, true, WAIT(QUALITY),
                               "under load, packets to %s take %n ms longer",
                               "Have the router limit the queue of its slow line (fq_codel, cake)."},

        /* proxy */
        [NET_V_PROXY_DEAD] = {"proxy-dead", NET_PROXY, false, 0, "the proxy %s cannot be reached",
                              "Start it, or correct http_proxy, https_proxy and no_proxy in the environment."},
        [NET_V_PROXY_AUTH] = {"proxy-auth", NET_PROXY, false, 0, "the proxy %s wants a user and a password (407)",
                              "Give them in the proxy's URL: http_proxy=http://USER:PASSWORD@HOST:PORT."},
        [NET_V_PROXY_REFUSES] = {"proxy-refuses", NET_PROXY, false, 0, "the proxy %s does not go to %t (status %n)",
                                 "Ask who runs it to allow the target, or put it into no_proxy."},
        [NET_V_PROXY_INTERCEPTS] = {"proxy-intercepts", NET_PROXY, true, WAIT(HTTP),
                                    "a proxy that nobody configured answers for %s",
                                    "Know that someone on the way reads and may change what is not encrypted."},
        [NET_V_CAPTIVE_PORTAL] = {"captive-portal", NET_PROXY, false, 0,
                                  "a captive portal answers in place of %s: this network wants a login first",
                                  "Open the page in the evidence in a browser and log in."},

        /* TLS */
        [NET_V_CLOCK_SKEW] = {"clock-skew", NET_TLS, false, WAIT(TLS),
                              "this machine's clock is off by %n s, so certificates seem to be out of their time",
                              "Set the clock: timedatectl set-ntp true, or chronyc makestep."},
        [NET_V_TLS_EXPIRED] = {"tls-expired", NET_TLS, false, WAIT(TLS), "the certificate of %t has expired",
                               "Its operator has to renew it."},
        [NET_V_TLS_NOT_YET_VALID] = {"tls-not-yet-valid", NET_TLS, false, WAIT(TLS),
                                     "the certificate of %t is not valid yet",
                                     "Check this machine's clock; if it is right, the certificate was made too early."},
        [NET_V_TLS_NAME] = {"tls-name", NET_TLS, false, WAIT(TLS), "the certificate is not for %t",
                            "Use the name that the certificate has, or have its operator add this one."},
        [NET_V_TLS_SELF_SIGNED] = {"tls-self-signed", NET_TLS, false, WAIT(TLS),
                                   "the certificate of %t is signed by itself",
                                   "Have it signed, or name it with --cacert if it is known to be right."},
        [NET_V_TLS_MISSING_INTERMEDIATE] = {"tls-missing-intermediate", NET_TLS, false, WAIT(TLS),
                                            "%t does not send the intermediate certificate",
                                            "Its operator has to send the whole chain; some browsers hide this."},
        [NET_V_TLS_UNTRUSTED] = {"tls-untrusted", NET_TLS, false, WAIT(TLS),
                                 "the certificate of %t is signed by an authority that is not trusted here",
                                 "If it is a private authority, name its certificate with --cacert or install it."},
        [NET_V_TLS_REVOKED] = {"tls-revoked", NET_TLS, false, WAIT(TLS), "the certificate of %t has been revoked",
                               "Do not trust it: its operator has to replace it."},
        [NET_V_TLS_RESET] = {"tls-reset", NET_TLS, false, 0, "the connection to %t is closed as soon as TLS begins",
                             "The server has no certificate for this name, or something on the way cuts it by name."},
        [NET_V_TLS_PLAINTEXT] = {"tls-plaintext", NET_TLS, false, 0, "%t does not speak TLS on that port",
                                 "Use http:// or the right port, or switch TLS on there."},
        [NET_V_TLS_SILENT] = {"tls-silent", NET_TLS, false, WAIT(MTU) | WAIT(TLS),
                              "%t accepts the connection, but does not answer when TLS begins",
                              "The service hangs, or expects another protocol on that port."},
        [NET_V_TLS_PROTOCOL] =
                {"tls-protocol", NET_TLS, false, 0, "%t and this machine cannot agree on TLS",
                 "The evidence names the alert: mostly a version or cipher that one side is too old for."},

        /* HTTP */
        [NET_V_HTTP_SERVER_ERROR] = {"http-server-error", NET_HTTP, false, WAIT(TLS), "%t answers with an error: %n",
                                     "The network is fine: look into the logs of the service."},
        [NET_V_HTTP_CLIENT_ERROR] = {"http-client-error", NET_HTTP, false, WAIT(TLS),
                                     "%t does not take the request: %n",
                                     "The network is fine: check the URL, and whether it needs a login."},
        [NET_V_HTTP_REDIRECT_LOOP] = {"http-redirect-loop", NET_HTTP, false, WAIT(TLS), "%t redirects in circles",
                                      "The network is fine: mend the redirects of the service."},
        [NET_V_HTTP_NO_FIRST_BYTE] = {"http-no-first-byte", NET_HTTP, false, WAIT(MTU) | WAIT(TLS) | WAIT(HTTP),
                                      "%t takes the request, but does not answer it in time",
                                      "The network is fine: the service hangs or is overloaded."},
        [NET_V_HTTP_BODY_STALL] = {"http-body-stall", NET_HTTP, false, WAIT(MTU) | WAIT(TLS) | WAIT(HTTP),
                                   "%t begins to answer, but does not go on",
                                   "The network is fine: the service, or what it reads from, hangs."},
        [NET_V_HTTP_MALFORMED] = {"http-malformed", NET_HTTP, false, WAIT(TLS), "what %t answers is no HTTP",
                                  "Another service listens on that port, or it breaks off early."},
};

const struct net_verdict_info *net_verdict_info(enum net_code code)
{
        return &table[code < NET_CODES ? code : NET_UNDECIDED];
}
