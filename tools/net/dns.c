/*
 * DNS messages, as bytes. Names in answers may point back into the message; each step must lead further back, so that
 * following them ends.
 */
#include "net/dns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
        HEAD_BYTES = 12,
        LABEL_MAX = 63,
        NAME_MAX_BYTES = 255,
        TYPE_OPT = 41,
        CLASS_IN = 1,
        EDNS_BYTES = 1232,
};

struct message {
        const uint8_t *bytes;
        size_t length;
        size_t at;
};

static uint16_t get16(const uint8_t *at)
{
        return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
        return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static size_t put16(uint8_t *to, size_t at, uint16_t value)
{
        to[at] = (uint8_t)(value >> 8);
        to[at + 1] = (uint8_t)value;
        return at + 2;
}

/* Writes the labels of a name. Returns where they end; 0 if it is no name. */
static size_t put_name(const char *name, uint8_t *to, size_t at)
{
        size_t begin = at;

        for (const char *p = name; *p && strcmp(p, ".") != 0;) {
                size_t length = strcspn(p, ".");
                if (length == 0 || length > LABEL_MAX || at - begin + length + 2 > NAME_MAX_BYTES)
                        return 0;
                to[at++] = (uint8_t)length;
                memcpy(to + at, p, length);
                at += length;
                p += length;
                p += *p == '.' ? 1 : 0;
        }
        to[at++] = 0;
        return at;
}

size_t net_dns_question(const char *name, uint16_t type, uint16_t id, bool recurse, uint8_t *ret, size_t room)
{
        if (room < HEAD_BYTES + NAME_MAX_BYTES + 4 + 11)
                return 0;
        memset(ret, 0, HEAD_BYTES);
        put16(ret, 0, id);
        ret[2] = recurse ? 1 : 0;
        put16(ret, 4, 1);  /* a question */
        put16(ret, 10, 1); /* and the EDNS record */
        size_t at = put_name(name, ret, HEAD_BYTES);
        if (at == 0)
                return 0;
        at = put16(ret, at, type);
        at = put16(ret, at, CLASS_IN);
        ret[at++] = 0;
        at = put16(ret, at, TYPE_OPT);
        at = put16(ret, at, EDNS_BYTES);
        memset(ret + at, 0, 6);
        return at + 6;
}

/* Adds a label to the text of a name; dots and controls in it are written as \DDD. */
static bool add_label(char *name, size_t room, size_t *used, const uint8_t *label, size_t length)
{
        if (*used > 0 && *used + 1 < room)
                name[(*used)++] = '.';
        for (size_t i = 0; i < length; i++) {
                bool plain = label[i] > 0x20 && label[i] < 0x7F && label[i] != '.' && label[i] != '\\';
                int n = snprintf(name + *used, room - *used, plain ? "%c" : "\\%03u", label[i]);
                if (n < 0 || (size_t)n >= room - *used)
                        return false;
                *used += (size_t)n;
        }
        return true;
}

/* Reads the name at message->at and goes on behind it. */
static bool take_name(struct message *message, char *name, size_t room)
{
        size_t at = message->at;
        size_t least = at; /* a pointer must lead before it */
        bool jumped = false;
        size_t used = 0;

        name[0] = 0;
        while (at < message->length) {
                uint8_t length = message->bytes[at];
                if (length == 0) {
                        if (!jumped)
                                message->at = at + 1;
                        name[used] = 0;
                        return true;
                }
                if (length >= 0xC0) {
                        if (at + 2 > message->length)
                                return false;
                        size_t to = get16(message->bytes + at) & 0x3FFF;
                        if (!jumped)
                                message->at = at + 2;
                        if (to >= least)
                                return false;
                        jumped = true;
                        least = at = to;
                        continue;
                }
                if (length > LABEL_MAX || at + 1 + length > message->length ||
                    !add_label(name, room, &used, message->bytes + at + 1, length))
                        return false;
                at += (size_t)length + 1;
        }
        return false;
}

static bool take_record(struct message *message, struct net_dns *ret)
{
        char owner[1024];

        if (!take_name(message, owner, sizeof owner) || message->length - message->at < 10)
                return false;
        const uint8_t *at = message->bytes + message->at;
        uint16_t type = get16(at);
        uint32_t ttl = get32(at + 4);
        size_t length = get16(at + 8);
        message->at += 10;
        if (length > message->length - message->at)
                return false;
        at += 10;
        message->at += length;
        bool fits = (type == NET_DNS_A && length == 4) || (type == NET_DNS_AAAA && length == 16);
        if (fits && ret->count < NET_DNS_ANSWERS) {
                ret->addresses[ret->count++] = net_ip_make(type == NET_DNS_A ? AF_INET : AF_INET6, at);
                if (ret->count == 1 || ttl < ret->ttl_s)
                        ret->ttl_s = ttl;
        }
        return true;
}

int net_dns_parse(const uint8_t *bytes, size_t length, struct net_dns *ret)
{
        struct message message = {bytes, length, HEAD_BYTES};
        struct net_dns dns = {.id = 0};
        char name[1024];

        if (length < HEAD_BYTES)
                return -EBADMSG;
        dns.id = get16(bytes);
        dns.reply = bytes[2] & 0x80;
        dns.truncated = bytes[2] & 2;
        dns.recursion = bytes[3] & 0x80;
        dns.code = bytes[3] & 15;
        uint16_t questions = get16(bytes + 4);
        uint16_t answers = get16(bytes + 6);
        for (uint16_t i = 0; i < questions; i++) {
                if (!take_name(&message, name, sizeof name) || message.length - message.at < 4)
                        return -EBADMSG;
                if (i == 0) {
                        dns.type = get16(bytes + message.at);
                        snprintf(dns.name, sizeof dns.name, "%.255s", name);
                }
                message.at += 4;
        }
        for (uint16_t i = 0; i < answers; i++)
                if (!take_record(&message, &dns)) {
                        if (dns.truncated)
                                break;
                        return -EBADMSG;
                }
        *ret = dns;
        return 0;
}
