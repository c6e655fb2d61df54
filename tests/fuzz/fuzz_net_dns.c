/* DNS answers. */
#include <stdlib.h>
#include <string.h>

#include "net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct net_dns dns;
        uint8_t question[512];

        if (net_dns_parse(data, size, &dns) < 0)
                return 0;
        if (dns.count > NET_DNS_ANSWERS || strnlen(dns.name, sizeof dns.name) == sizeof dns.name)
                abort();
        if (net_dns_question(dns.name, dns.type, dns.id, dns.recursion, question, sizeof question) > sizeof question)
                abort();
        return 0;
}
