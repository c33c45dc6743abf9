/* Closing a connection without losing what was sent last. */
#ifndef NET_LINGER_H
#define NET_LINGER_H

#include "net/loop.h"

/* Takes the descriptor: ends our side, drops input until the peer's end or for 5 s, then closes. */
void linger_start(struct wsp_loop *loop, int fd);

#endif
