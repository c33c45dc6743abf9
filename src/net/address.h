/* Socket addresses as values and as text. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "proto/ip_addr.h"
#include "wsp/err.h"

struct address {
    socklen_t len;
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage storage;
    };
};

#define ADDRESS_TEXT_MAX 64 /* "[v6%zone]:port" with its NUL */

/* From a literal IPv4 or IPv6 address (no brackets; a %zone is allowed). False when it is none. */
bool address_parse(struct slice host, unsigned port, struct address *out);

/* From what address_text writes: "192.0.2.1:80" or "[2001:db8::1]:80". False when it is none. */
bool address_parse_text(struct slice text, struct address *out);

/* The address and port of an AF_INET or AF_INET6 one; false for another. And back. */
bool address_ip_port(const struct address *a, struct ip_port *out);
struct address address_of_ip_port(const struct ip_port *from);

/* "a.b.c.d:port" or "[v6]:port", or what address_host_text says when the port is 0, which is none;
 * an IPv4-mapped IPv6 address is shown as IPv4. */
void address_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* The same without the port, IPv6 without brackets. */
void address_host_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* TCP_NODELAY, and keep-alive probes so that a peer that vanished is noticed within two minutes.
 * What a listener accepts inherits them. */
void address_set_tcp_options(int fd);

unsigned address_port(const struct address *a);
bool address_is_loopback(const struct address *a);

/* Whom an address stands for, as a number: an IPv4 address, or the 64 bits of an IPv6 network,
 * since no customer gets less. False for another family. */
bool address_owner(const struct address *a, uint64_t *out);

#endif
