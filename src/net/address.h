/* Socket addresses as values and as text. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/slice.h"
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

/* "a.b.c.d:port" or "[v6]:port"; an IPv4-mapped IPv6 address is shown as IPv4. */
void address_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* The same without the port, IPv6 without brackets. */
void address_host_text(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* TCP_NODELAY, and keep-alive probes so that a peer that vanished is noticed within two minutes.
 * What a listener accepts inherits them. */
void address_set_tcp_options(int fd);

unsigned address_port(const struct address *a);
bool address_is_loopback(const struct address *a);

#endif
