/* IP addresses as bytes and as text. */
#ifndef PROTO_IP_ADDR_H
#define PROTO_IP_ADDR_H

#include "base/slice.h"

struct ip_addr {
    bool is_v6;
    uint8_t bytes[16]; /* network order; IPv4 in the first four */
};

struct ip_port {
    struct ip_addr ip;
    uint16_t port; /* host order; 0 when it is not known */
};

/* A literal IPv4 or IPv6 address, without brackets and zone. False, and `out` untouched, when the
 * text is none. */
bool ip_addr_parse(struct slice text, struct ip_addr *out);

/* From four bytes in network order. */
struct ip_addr ip_addr_v4(const uint8_t *bytes);

/* IPv4-mapped IPv6 (::ffff:a.b.c.d) becomes IPv4; another address stays. And back. */
struct ip_addr ip_addr_unmapped(const struct ip_addr *ip);
struct ip_addr ip_addr_mapped(const struct ip_addr *ip);

bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b);

#endif
