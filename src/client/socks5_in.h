/* A SOCKS5 client's connection up to its request (RFC 1928, RFC 1929); then it is a tunnel. */
#ifndef CLIENT_SOCKS5_IN_H
#define CLIENT_SOCKS5_IN_H

#include "client/session.h"

/* `fd` is taken, and its place in the listener. */
void socks5_in_accept(struct proxy_listener *p, int fd);

#endif
