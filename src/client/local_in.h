/* A connection to a listener of `local`: it goes to the listener's channel, byte for byte. */
#ifndef CLIENT_LOCAL_IN_H
#define CLIENT_LOCAL_IN_H

#include "client/session.h"

/* `fd` is taken, and its place in the listener. */
void local_in_accept(struct proxy_listener *p, int fd);

#endif
