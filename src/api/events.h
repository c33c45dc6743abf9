/* Events on their way to the program: noted as they happen, told from a task. */
#ifndef API_EVENTS_H
#define API_EVENTS_H

#include "net/loop.h"
#include "wsp/event.h"

/* Embedded in a server or client. */
struct events {
    struct wsp_loop *loop; /* borrowed */
    wsp_event_handler *handler;
    void *ctx; /* borrowed; of the handler */
    struct list queue;
    struct task task;
};

/* With a NULL handler nothing is ever noted. */
void events_init(struct events *e, struct wsp_loop *loop, wsp_event_handler *handler, void *ctx);

/* Copies it. NULL strings are told as "". Without memory it is lost, and the log says so. */
void events_post(struct events *e, const struct wsp_event *event);

/* Nobody listens any more: what was noted is forgotten. Also from within the handler. */
void events_fini(struct events *e);

#endif
