#include "api/events.h"

#include <stdlib.h>
#include <string.h>

enum { STRINGS = 5 };

struct noted {
    struct list node; /* on events->queue */
    struct wsp_event event;
    char text[]; /* of all its strings */
};

static void strings_of(struct wsp_event *e, const char **out[STRINGS])
{
    out[0] = &e->link;
    out[1] = &e->peer;
    out[2] = &e->name;
    out[3] = &e->channel;
    out[4] = &e->text;
}

static struct noted *note(const struct wsp_event *event)
{
    struct wsp_event e = *event;
    const char **string[STRINGS];
    size_t room = 0;
    struct noted *n;
    char *at;

    strings_of(&e, string);
    for (size_t i = 0; i < STRINGS; i++) {
        if (!*string[i])
            *string[i] = "";
        room += strlen(*string[i]) + 1;
    }
    n = malloc(sizeof(*n) + room);
    if (!n)
        return NULL;
    at = n->text;
    for (size_t i = 0; i < STRINGS; i++) {
        size_t len = strlen(*string[i]) + 1;

        memcpy(at, *string[i], len);
        log_disarm(at, len - 1); /* much of it comes from peers */
        *string[i] = at;
        at += len;
    }
    n->event = e;
    list_init(&n->node);
    return n;
}

/* The handler may end it. */
static void on_task(struct task *t)
{
    struct events *e = container_of(t, struct events, task);
    struct list *node;

    while ((node = list_shift(&e->queue))) {
        struct noted *n = container_of(node, struct noted, node);

        e->handler(e->ctx, &n->event);
        free(n);
    }
}

void events_init(struct events *e, struct wsp_loop *loop, wsp_event_handler *handler, void *ctx)
{
    *e = (struct events){.loop = loop, .handler = handler, .ctx = ctx};
    list_init(&e->queue);
    task_init(&e->task, on_task);
}

void events_post(struct events *e, const struct wsp_event *event)
{
    struct noted *n = e->handler ? note(event) : NULL;

    if (!n && e->handler)
        log_error(loop_log(e->loop), "events: out of memory: one is not told");
    if (!n)
        return;
    list_push(&e->queue, &n->node);
    task_post(e->loop, &e->task);
}

void events_fini(struct events *e)
{
    struct list *node;

    e->handler = NULL;
    task_cancel(&e->task);
    while ((node = list_shift(&e->queue)))
        free(container_of(node, struct noted, node));
}
