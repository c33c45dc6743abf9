#include "net/address.h"

#include <netinet/tcp.h>

#include <arpa/inet.h>
#include <endian.h>
#include <net/if.h>
#include <stdio.h>

/* A zone is an interface by name or by index (RFC 4007 section 11.2). */
static bool parse_zone(const char *zone, uint32_t *out)
{
    uint64_t number;

    if (slice_to_u64(slice_str(zone), &number)) {
        *out = (uint32_t)number;
        return number > 0 && number <= UINT32_MAX;
    }
    *out = if_nametoindex(zone);
    return *out != 0;
}

static bool parse_in6(char *text, unsigned port, struct address *out)
{
    struct address a = {.len = sizeof(a.in6)};
    char *percent = strchr(text, '%');

    if (percent)
        *percent = 0;
    a.in6.sin6_family = AF_INET6;
    a.in6.sin6_port = htons((uint16_t)port);
    if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) != 1)
        return false;
    if (percent && !parse_zone(percent + 1, &a.in6.sin6_scope_id))
        return false;
    *out = a;
    return true;
}

bool address_parse(struct slice host, unsigned port, struct address *out)
{
    struct address a = {.len = sizeof(a.in)};
    char text[ADDRESS_TEXT_MAX];

    if (host.len == 0 || host.len >= sizeof(text) || memchr(host.p, 0, host.len))
        return false;
    memcpy(text, host.p, host.len);
    text[host.len] = 0;
    if (strchr(text, ':'))
        return parse_in6(text, port, out);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, text, &a.in.sin_addr) != 1)
        return false;
    *out = a;
    return true;
}

bool address_parse_text(struct slice text, struct address *out)
{
    const uint8_t *colon = text.len ? memrchr(text.p, ':', text.len) : NULL;
    struct slice host, port;
    uint64_t number;

    if (!colon)
        return false;
    host = slice_of(text.p, (size_t)(colon - text.p));
    port = slice_of(colon + 1, text.len - host.len - 1);
    if (!slice_to_u64(port, &number) || number > UINT16_MAX)
        return false;
    if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
        host = slice_of(host.p + 1, host.len - 2);
    else if (memchr(host.p, ':', host.len))
        return false;
    return address_parse(host, (unsigned)number, out);
}

bool address_ip_port(const struct address *a, struct ip_port *out)
{
    *out = (struct ip_port){.ip.is_v6 = a->sa.sa_family == AF_INET6,
                            .port = (uint16_t)address_port(a)};
    if (out->ip.is_v6)
        memcpy(out->ip.bytes, &a->in6.sin6_addr, 16);
    else
        memcpy(out->ip.bytes, &a->in.sin_addr, 4);
    return out->ip.is_v6 || a->sa.sa_family == AF_INET;
}

struct address address_of_ip_port(const struct ip_port *from)
{
    uint16_t port = htons(from->port);
    struct address a4 = {.len = sizeof(a4.in), .in = {.sin_family = AF_INET, .sin_port = port}};
    struct address a6 = {.len = sizeof(a6.in6),
                         .in6 = {.sin6_family = AF_INET6, .sin6_port = port}};

    memcpy(&a4.in.sin_addr, from->ip.bytes, 4);
    memcpy(&a6.in6.sin6_addr, from->ip.bytes, 16);
    return from->ip.is_v6 ? a6 : a4;
}

static bool is_mapped(const struct address *a)
{
    return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr);
}

/* The IPv4 address of an AF_INET or IPv4-mapped one, network order; false for another. */
static bool in_addr_of(const struct address *a, struct in_addr *out)
{
    if (a->sa.sa_family == AF_INET)
        *out = a->in.sin_addr;
    else if (is_mapped(a))
        memcpy(out, &a->in6.sin6_addr.s6_addr[12], sizeof(*out));
    else
        return false;
    return true;
}

/* "%zone" behind a scoped address; the number when the interface has no name any more. */
static void append_zone(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    size_t len = strlen(out);
    char name[IF_NAMESIZE];

    if (a->in6.sin6_scope_id == 0)
        return;
    if (if_indextoname(a->in6.sin6_scope_id, name))
        snprintf(out + len, ADDRESS_TEXT_MAX - len, "%%%s", name);
    else
        snprintf(out + len, ADDRESS_TEXT_MAX - len, "%%%u", a->in6.sin6_scope_id);
}

void address_host_text(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    struct in_addr in;

    if (in_addr_of(a, &in)) {
        inet_ntop(AF_INET, &in, out, ADDRESS_TEXT_MAX);
    } else if (a->sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->in6.sin6_addr, out, ADDRESS_TEXT_MAX);
        append_zone(a, out);
    } else {
        snprintf(out, ADDRESS_TEXT_MAX, "%s", a->sa.sa_family == AF_UNIX ? "unix" : "unknown");
    }
}

void address_text(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];

    address_host_text(a, host);
    if (address_port(a) == 0)
        memcpy(out, host, sizeof(host));
    else if (strchr(host, ':'))
        snprintf(out, ADDRESS_TEXT_MAX, "[%.55s]:%u", host, address_port(a));
    else
        snprintf(out, ADDRESS_TEXT_MAX, "%.55s:%u", host, address_port(a));
}

unsigned address_port(const struct address *a)
{
    if (a->sa.sa_family == AF_INET)
        return ntohs(a->in.sin_port);
    if (a->sa.sa_family == AF_INET6)
        return ntohs(a->in6.sin6_port);
    return 0;
}

bool address_is_loopback(const struct address *a)
{
    struct in_addr in;

    if (in_addr_of(a, &in))
        return ntohl(in.s_addr) >> 24 == 127;
    return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

bool address_owner(const struct address *a, uint64_t *out)
{
    struct in_addr in;
    uint64_t network;

    if (in_addr_of(a, &in)) {
        *out = UINT64_C(0xffff) << 48 | ntohl(in.s_addr); /* no IPv6 source begins with ffff */
    } else if (a->sa.sa_family == AF_INET6) {
        memcpy(&network, &a->in6.sin6_addr, sizeof(network));
        *out = be64toh(network);
    } else {
        return false;
    }
    return true;
}

void address_set_tcp_options(int fd)
{
    const int one = 1, idle_s = 60, interval_s = 15, count = 4;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}
