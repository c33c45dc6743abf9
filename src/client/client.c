#include "client/client.h"

#include <stdio.h>

#include "client/session.h"

static void on_drained(struct task *t)
{
    struct client *c = container_of(t, struct client, drained);

    c->on_drained(c);
}

/* All of them before the first listener opens: no error can come behind one that was used. */
static enum wsp_err begin(struct client *c, char error[CONFIG_ERROR_MAX])
{
    struct list *node, *tmp;
    enum wsp_err err = WSP_OK;

    for (size_t i = 0; i < c->config->client_count; i++)
        if (!session_new(c, &c->config->client[i], error))
            return WSP_ERR_CONFIG;
    snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    list_each (node, tmp, &c->sessions) {
        err = session_begin(session_at(node), error);
        if (err != WSP_OK)
            break;
    }
    return err;
}

enum wsp_err client_start(struct client *c, struct wsp_loop *loop, struct wspc_config *config,
                          char error[CONFIG_ERROR_MAX])
{
    enum wsp_err err = WSP_ERR_NOMEM;

    snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    *c = (struct client){.loop = loop, .config = config};
    c->memory.max = (size_t)config->memory.process_bytes;
    list_init(&c->sessions);
    task_init(&c->drained, on_drained);
    if (egress_init(&c->egress, NULL, NULL, error) != WSP_OK)
        return WSP_ERR_NOMEM;
    c->resolver = resolver_new(loop);
    if (c->resolver)
        err = begin(c, error);
    if (err != WSP_OK)
        client_stop(c);
    return err;
}

struct session *client_session(const struct client *c, size_t index)
{
    struct list *node, *tmp;

    list_each (node, tmp, &c->sessions)
        if (!session_at(node)->draining && index-- == 0)
            return session_at(node);
    return NULL;
}

size_t client_servers_up(const struct client *c)
{
    struct list *node, *tmp;
    size_t up = 0;

    list_each (node, tmp, &c->sessions)
        up += !session_at(node)->draining && session_link(session_at(node)) != NULL;
    return up;
}

void client_tell(struct client *c, const struct wsp_event *e)
{
    if (c->on_event)
        c->on_event(c, e);
}

void client_session_drained(struct client *c)
{
    if (c->draining && list_empty(&c->sessions))
        task_post(c->loop, &c->drained);
}

void client_drain(struct client *c, void (*on_drained_cb)(struct client *c))
{
    struct list *node, *tmp;

    c->draining = true;
    c->on_drained = on_drained_cb;
    list_each (node, tmp, &c->sessions)
        session_drain(session_at(node));
}

void client_stop(struct client *c)
{
    c->draining = false;
    c->on_event = NULL;
    while (!list_empty(&c->sessions))
        session_free(session_at(c->sessions.next));
    task_cancel(&c->drained);
    egress_fini(&c->egress);
    resolver_free(c->resolver);
    c->resolver = NULL;
}
