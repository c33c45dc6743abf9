/* An HTTP proxy client's connection: CONNECT makes it a tunnel, requests in absolute-form are
 * exchanged, each with its own origin. */
#ifndef CLIENT_HTTP_IN_H
#define CLIENT_HTTP_IN_H

#include "client/session.h"

/* `fd` is taken, and its place in the listener. */
void http_in_accept(struct proxy_listener *p, int fd);

#endif
