/* The daemons' event loop: libwebsockets turns a wsp_loop. */
#ifndef NET_LOOP_LWS_H
#define NET_LOOP_LWS_H

#include "net/loop.h"

struct loop_lws;

/* NULL on failure. The loop must outlive it. */
struct loop_lws *loop_lws_new(struct wsp_loop *loop);
void loop_lws_free(struct loop_lws *l);

/* Runs until loop_lws_stop. */
void loop_lws_run(struct loop_lws *l);
void loop_lws_stop(struct loop_lws *l);

#endif
