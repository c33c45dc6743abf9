#include "proto/ip_addr.h"

#include <arpa/inet.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

bool ip_addr_parse(struct slice text, struct ip_addr *out)
{
    struct ip_addr ip = {0};
    char copy[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.p, '\0', text.len))
        return false;
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, ip.bytes) != 1) {
        ip.is_v6 = true;
        if (inet_pton(AF_INET6, copy, ip.bytes) != 1)
            return false;
    }
    *out = ip;
    return true;
}

struct ip_addr ip_addr_v4(const uint8_t *bytes)
{
    return (struct ip_addr){.bytes = {bytes[0], bytes[1], bytes[2], bytes[3]}};
}

struct ip_addr ip_addr_unmapped(const struct ip_addr *ip)
{
    if (!ip->is_v6 || memcmp(ip->bytes, mapped_prefix, sizeof(mapped_prefix)) != 0)
        return *ip;
    return ip_addr_v4(ip->bytes + sizeof(mapped_prefix));
}

struct ip_addr ip_addr_mapped(const struct ip_addr *ip)
{
    struct ip_addr mapped = {.is_v6 = true};

    if (ip->is_v6)
        return *ip;
    memcpy(mapped.bytes, mapped_prefix, sizeof(mapped_prefix));
    memcpy(mapped.bytes + sizeof(mapped_prefix), ip->bytes, 4);
    return mapped;
}

bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
    return a->is_v6 == b->is_v6 && memcmp(a->bytes, b->bytes, a->is_v6 ? 16 : 4) == 0;
}
