/*
 * The loop that everything of one thread hangs off: servers, clients, streams. It is one
 * descriptor. A program that has a loop of its own (libwebsockets, glib, libuv, libev, poll)
 * watches it for reading and calls wsp_loop_turn; one that has none calls wsp_loop_run.
 *
 * A loop and all that hangs off it belong to one thread at a time: only wsp_loop_wake and
 * wsp_loop_stop may be called from others. Several loops in several threads do not know of each
 * other.
 *
 * Callbacks are called from within wsp_loop_turn only, unless a docstring says otherwise, and may
 * call every function of the library: what they free is freed when the turn ends, and what they ask
 * for is done then. A turn within a turn does nothing.
 */
#ifndef WSP_LOOP_H
#define WSP_LOOP_H

#include <stdbool.h>
#include <wsp/err.h>
#include <wsp/log.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wsp_loop;

/* An idle loop, owned by the caller; NULL when memory or descriptors are short (errno). */
WSP_API struct wsp_loop *wsp_loop_new(void);

/* Gives it up. It is gone once all that hangs off it has been freed; until then it does nothing any
 * more. Accepts NULL. */
WSP_API void wsp_loop_free(struct wsp_loop *loop);

/* Lines up to `level` go to `write` from now on; NULL: to nobody, as in the beginning. `ctx` is
 * borrowed as long. */
WSP_API void wsp_loop_set_log(struct wsp_loop *loop, enum wsp_log_level level, wsp_log_write *write,
                              void *ctx);

/* The descriptor to watch for reading, level-triggered; it belongs to the loop and stays the same.
 * -1 for NULL. */
WSP_API int wsp_loop_fd(const struct wsp_loop *loop);

/*
 * Milliseconds until the next deadline, 0 when something is due, -1 when nothing is: for a program
 * that cannot watch a descriptor, or wants to know. Deadlines make the descriptor readable by
 * themselves.
 */
WSP_API int wsp_loop_timeout_ms(struct wsp_loop *loop);

/* Does what is due, without ever waiting, for a bounded time: if more is left, the descriptor stays
 * readable. */
WSP_API void wsp_loop_turn(struct wsp_loop *loop);

/* Waits for something to do for at most `timeout_ms` (-1: without end), then turns once. WSP_OK,
 * WSP_ERR_MORE when the time has passed or a signal came, WSP_ERR_USAGE within a turn. */
WSP_API enum wsp_err wsp_loop_wait(struct wsp_loop *loop, int timeout_ms);

/* Turns it until wsp_loop_stop, which may have been called before. WSP_OK or WSP_ERR_USAGE. */
WSP_API enum wsp_err wsp_loop_run(struct wsp_loop *loop);

/* Ends wsp_loop_run, from any thread, a callback or a signal handler. */
WSP_API void wsp_loop_stop(struct wsp_loop *loop);

/* Makes the descriptor readable, from any thread or signal handler. */
WSP_API void wsp_loop_wake(struct wsp_loop *loop);

/* `give_back` is called some seconds after a good deal of memory was freed: the program may want to
 * return it to the system (malloc_trim). NULL: nothing is called. */
WSP_API void wsp_loop_on_freed(struct wsp_loop *loop, void (*give_back)(void));

#ifdef __cplusplus
}
#endif
#endif
