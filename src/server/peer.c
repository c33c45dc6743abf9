#include "server/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/crossing.h"
#include "server/exit.h"
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

static void peer_forget(struct peer *p)
{
    while (!list_empty(&p->services))
        service_offline(container_of(p->services.next, struct service, peer_node));
    p->server->peer_count--;
    list_remove(&p->node);
    listener_release(&p->server->listener);
    free(p);
}

static void on_end(struct carrier *c, const char *why)
{
    struct peer *p = container_of(c, struct peer, carrier);

    log_info(loop_log(p->server->loop), "%s: ended: %s", c->link.name, why);
    peer_forget(p);
}

void peer_free(struct peer *p)
{
    carrier_fini(&p->carrier);
    peer_forget(p);
}

void peer_start(struct server *s, int fd, struct slice early, const struct address *address)
{
    const struct config_time *time = &s->config->time;
    struct peer *p = calloc(1, sizeof(*p));
    char name[LINK_NAME_MAX], text[ADDRESS_TEXT_MAX];
    struct carrier_start start = {
        .loop = s->loop,
        .fd = fd,
        .early = early,
        .opt = {.server = true,
                .name = name,
                .max_channels = (size_t)s->config->max_channels,
                .ping_us = time->ping_us,
                .dead_us = time->dead_us,
                .probe_us = time->probe_us,
                .probe_answer_us = time->probe_answer_us,
                .stall_us = time->stall_us},
        .connect = on_connect,
        .on_end = on_end,
    };

    snprintf(name, sizeof(name), "link %u", ++s->last_peer);
    address_text(address, text);
    if (!p || carrier_start(&p->carrier, &start) != WSP_OK) {
        log_error(loop_log(s->loop), "%s: from %s cannot start: out of memory", name, text);
        if (!p)
            close(fd);
        listener_release(&s->listener);
        free(p);
        return;
    }
    list_init(&p->services);
    p->server = s;
    p->address = *address;
    list_push(&s->peers, &p->node);
    s->peer_count++;
    log_info(loop_log(s->loop), "%s: up, from %s", name, text);
}
