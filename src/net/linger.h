/* Closing a connection without losing what was sent last. */
#ifndef NET_LINGER_H
#define NET_LINGER_H

#include "base/buf.h"
#include "net/loop.h"

struct wsp_guest;

/* Takes the descriptor: sends `rest` (taken), ends our side, drops input until the peer's end or
 * for 5 s, then closes. A peer that goes on sending is reset once it has received everything; one
 * that takes nothing of the rest for 60 s is given up. */
void linger_start(struct wsp_loop *loop, int fd, struct buf rest);

/* The same, with nothing left to send, for the duplicate of a descriptor that was lent to us: its
 * program is told when it is closed. */
void linger_start_lent(struct wsp_loop *loop, int fd, struct wsp_guest *guest);

/* Closes it now. */
struct lingerer;
void linger_end(struct lingerer *g);

#endif
