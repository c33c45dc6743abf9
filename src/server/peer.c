#include "server/peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/event.h"
#include "server/crossing.h"
#include "server/exit.h"
#include "server/instance.h"
#include "server/register.h"

static struct peer *peer_of_link(struct link *l)
{
    return container_of(container_of(l, struct carrier, link), struct peer, carrier);
}

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct peer *p = peer_of_link(l);
    char text[64];

    if (p->server->draining) {
        link_refuse(l, id, "the server is shutting down");
        return;
    }
    switch (request->type) {
    case MSG_DYNAMIC:
        exit_open(p->server, l, id, request->url);
        break;
    case MSG_LOCAL:
        crossing_open(p, l, id, request);
        break;
    case MSG_REMOTE:
        register_request(p, l, id, request->url);
        break;
    default:
        snprintf(text, sizeof(text), "unknown %d", (int)request->type);
        link_refuse(l, id, text);
    }
}

static void on_settled(struct link *l)
{
    struct peer *p = peer_of_link(l);

    log_debug(l->opt.log, "%s: speaks wsp.1", l->name);
    instance_join(p, l->peer.instance);
}

static void on_goaway(struct link *l)
{
    log_info(l->opt.log, "%s: its client takes nothing new", l->name);
    instance_retire(peer_of_link(l));
}

void peers_drain(struct server *s)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->peers)
        link_goaway(&peer_of(node)->carrier.link);
}

static void tell(struct peer *p, enum wsp_event_kind kind, const char *why)
{
    char text[ADDRESS_TEXT_MAX];
    struct wsp_event e = {.kind = kind, .link = p->carrier.link.name, .peer = text, .text = why};

    address_text(&p->address, text);
    server_tell(p->server, &e);
}

static void tell_channel(const struct link *l, const struct chan *ch, const char *how)
{
    const struct peer *p =
        container_of(container_of(l, struct carrier, link), struct peer, carrier);
    char id[CHANNEL_TEXT_MAX];
    struct wsp_event e = channel_event(l, ch, how, id);

    server_tell(p->server, &e);
}

static void peer_forget(struct peer *p, const char *why)
{
    instance_leave(p);
    tell(p, WSP_LINK_DOWN, why);
    link_totals_add(&p->server->ended, &p->carrier.link);
    p->server->peer_count--;
    list_remove(&p->node);
    listener_release(&p->server->listener);
    free(p);
}

static void on_end(struct carrier *c, const char *why)
{
    struct peer *p = container_of(c, struct peer, carrier);

    log_info(loop_log(p->server->loop), "%s: ended: %s", c->link.name, why);
    peer_forget(p, why);
}

void peer_free(struct peer *p)
{
    carrier_fini(&p->carrier);
    peer_forget(p, "the server ends");
}

/* Takes p, even on failure. */
static enum wsp_err start_link(struct peer *p, struct server *s, const struct carrier_start *start)
{
    enum wsp_err err;

    if (!p) {
        stream_close(start->stream);
        return WSP_ERR_NOMEM;
    }
    p->server = s;
    err = carrier_start(&p->carrier, start);
    if (err == WSP_OK) {
        err = instance_new(p);
        if (err != WSP_OK)
            carrier_fini(&p->carrier);
    }
    if (err != WSP_OK)
        free(p);
    return err;
}

enum wsp_err peer_start(struct server *s, const struct peer_start *with)
{
    const struct config_time *time = &s->config->time;
    struct peer *p = calloc(1, sizeof(*p));
    char name[LINK_NAME_MAX], text[ADDRESS_TEXT_MAX];
    enum wsp_err err;
    struct carrier_start start = {
        .loop = s->loop,
        .stream = with->stream,
        .early = with->early,
        .opt = {.server = true,
                .name = name,
                .max_channels = (size_t)s->config->max_channels,
                .on_channel = s->on_event ? tell_channel : NULL,
                .ping_us = time->ping_us,
                .dead_us = time->dead_us,
                .probe_us = time->probe_us,
                .probe_answer_us = time->probe_answer_us,
                .stall_us = time->stall_us,
                .dialect = with->dialect,
                .memory = &s->memory,
                .memory_max = (size_t)s->config->memory.link_bytes,
                .window_max = (size_t)s->config->memory.channel_bytes},
        .connect = on_connect,
        .settled = on_settled,
        .goaway = on_goaway,
        .on_end = on_end,
    };

    snprintf(name, sizeof(name), "link %u", ++s->last_peer);
    address_text(with->address, text);
    err = start_link(p, s, &start);
    if (err != WSP_OK) {
        log_error(loop_log(s->loop), "%s: from %s cannot start: %s", name, text, wsp_strerror(err));
        listener_release(&s->listener);
        return err;
    }
    p->address = *with->address;
    p->noise = (struct log_limit){.window_us = 10000000, .burst = 1024};
    list_push(&s->peers, &p->node);
    s->peer_count++;
    log_info(loop_log(s->loop), "%s: up, from %s", name, text);
    tell(p, WSP_LINK_UP, NULL);
    return WSP_OK;
}
