/*
 * The daemons' event loop: libwebsockets turns a wsp_loop, and watches what a daemon has beside
 * that. What is called back here is outside of the wsp_loop's turns.
 */
#ifndef DAEMON_LOOP_LWS_H
#define DAEMON_LOOP_LWS_H

#include <stdbool.h>
#include <stdint.h>
#include <wsp/loop.h>

struct loop_lws;

/* NULL on failure. The loop must outlive it. */
struct loop_lws *loop_lws_new(struct wsp_loop *loop);
void loop_lws_free(struct loop_lws *l);

/* A descriptor beside the wsp_loop's; embedded in its owner, who closes it. */
struct loop_lws_watch {
    int fd;
    void (*readable)(struct loop_lws_watch *w); /* as long as there is something to read */
};

/* Watches a descriptor until the loop is freed; `w` is borrowed as long. False on failure. */
bool loop_lws_watch(struct loop_lws *l, struct loop_lws_watch *w);

/* Calls `tick` each time that the interval has passed, from now on until the loop is freed; `ctx`
 * is borrowed as long. There is one of these. */
void loop_lws_tick(struct loop_lws *l, uint64_t interval_us, void (*tick)(void *ctx), void *ctx);

/* Runs until loop_lws_stop. */
void loop_lws_run(struct loop_lws *l);
void loop_lws_stop(struct loop_lws *l);

#endif
