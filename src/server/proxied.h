/*
 * Connections on the public port, each of which begins with a header of the PROXY protocol: it is
 * read before anything else, and not a byte more.
 */
#ifndef SERVER_PROXIED_H
#define SERVER_PROXIED_H

#include "server/server.h"

/* `fd` is taken, and given to front_accept once its header is there: with the addresses that are in
 * that, or with `sender` when there are none. */
void proxied_accept(struct server *s, int fd, const struct address *sender);

/* Ends those that still wait. */
void proxied_end_all(struct server *s);

#endif
