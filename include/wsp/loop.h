/*
 * The loop that everything of one thread hangs off. It needs someone who calls wsp_loop_turn()
 * whenever its one descriptor is readable: the daemons let libwebsockets do that, another program
 * plugs the descriptor into the loop it has.
 */
#ifndef WSP_LOOP_H
#define WSP_LOOP_H

#include <wsp/err.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wsp_loop;

/* An idle loop, owned by the caller; NULL when memory or descriptors are short (errno). */
struct wsp_loop *wsp_loop_new(void);

/* Frees the loop. Everything that hangs off it must be gone. Accepts NULL. */
void wsp_loop_free(struct wsp_loop *loop);

/* The descriptor to watch for reading; it belongs to the loop and stays the same. */
int wsp_loop_fd(const struct wsp_loop *loop);

/* Does what is due, without ever waiting, for a bounded time: if more is left, the descriptor stays
 * readable. Call it from one thread only, and not from inside a callback of the loop. */
void wsp_loop_turn(struct wsp_loop *loop);

/* Makes the descriptor readable, from any thread or signal handler. */
void wsp_loop_wake(struct wsp_loop *loop);

#ifdef __cplusplus
}
#endif
#endif
