#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/session.h"

static void on_drained(struct task *t)
{
    struct client *c = container_of(t, struct client, drained);

    c->on_drained(c);
}

static void on_drain_time(struct timer *t)
{
    struct client *c = container_of(t, struct client, drain);

    log_info(loop_log(c->loop), "wspc: ending what is still open");
    task_post(c->loop, &c->drained);
}

enum wsp_err client_start(struct client *c, struct wsp_loop *loop, const struct wspc_config *config,
                          char error[CONFIG_ERROR_MAX])
{
    enum wsp_err err = WSP_ERR_NOMEM;

    snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    *c = (struct client){.loop = loop, .config = config};
    c->memory.max = (size_t)config->memory.process_bytes;
    task_init(&c->drained, on_drained);
    c->drain.fire = on_drain_time;
    if (egress_init(&c->egress, NULL, NULL, error) != WSP_OK)
        return WSP_ERR_NOMEM;
    c->resolver = resolver_new(loop);
    c->session = calloc(config->client_count, sizeof(struct session *));
    if (!c->resolver || !c->session)
        goto fail;
    for (; c->session_count < config->client_count; c->session_count++) {
        c->session[c->session_count] = session_new(c, c->session_count, error, &err);
        if (!c->session[c->session_count])
            goto fail;
    }
    return WSP_OK;
fail:
    client_stop(c);
    return err;
}

size_t client_servers_up(const struct client *c)
{
    size_t up = 0;

    for (size_t i = 0; i < c->session_count; i++)
        up += session_link(c->session[i]) != NULL;
    return up;
}

void client_links_changed(struct client *c)
{
    if (c->on_links)
        c->on_links(c);
}

void client_user_ended(struct client *c)
{
    if (!c->draining)
        return;
    for (size_t i = 0; i < c->session_count; i++)
        if (!list_empty(&c->session[i]->users) || !list_empty(&c->session[i]->targets.all) ||
            !list_empty(&c->session[i]->exits.all))
            return;
    task_post(c->loop, &c->drained);
}

void client_drain(struct client *c, void (*on_drained_cb)(struct client *c))
{
    c->draining = true;
    c->on_drained = on_drained_cb;
    for (size_t i = 0; i < c->session_count; i++)
        session_drain(c->session[i]);
    if (timer_set(c->loop, &c->drain, loop_now(c->loop) + c->config->time.drain_us) != WSP_OK)
        task_post(c->loop, &c->drained);
    client_user_ended(c);
}

void client_stop(struct client *c)
{
    c->draining = false;
    c->on_links = NULL;
    timer_clear(c->loop, &c->drain);
    for (size_t i = 0; i < c->session_count; i++)
        session_free(c->session[i]);
    free(c->session);
    c->session = NULL;
    c->session_count = 0;
    task_cancel(&c->drained);
    egress_fini(&c->egress);
    resolver_free(c->resolver);
    c->resolver = NULL;
}
