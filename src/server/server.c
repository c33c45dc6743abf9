#include "server/server.h"

#include <stdio.h>

#include "server/exit.h"
#include "server/front.h"
#include "server/peer.h"

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
    front_accept(container_of(l, struct server, listener), fd, peer);
}

static void log_start(const struct server *s)
{
    struct log *log = loop_log(s->loop);
    char text[ADDRESS_TEXT_MAX];

    address_text(&s->listener.local, text);
    log_info(log, "wsps: listening on %s, links on path %s", text, s->config->path);
    if (!s->config->auth)
        log_warn(log,
                 "wsps: NO AUTH IS SET: this is an open proxy for everybody who reaches %s; "
                 "set \"auth\" in the configuration",
                 text);
}

enum wsp_err server_start(struct server *s, struct wsp_loop *loop, const struct wsps_config *config,
                          char error[CONFIG_ERROR_MAX])
{
    enum wsp_err err;

    *s = (struct server){.loop = loop, .config = config};
    list_init(&s->fronts);
    list_init(&s->peers);
    list_init(&s->exits);
    s->noise = (struct log_limit){.window_us = 10000000, .burst = 20};
    err = egress_init(&s->egress, config->egress_allow, config->egress_deny, error);
    if (err != WSP_OK)
        return err;
    s->listener.on_accept = on_accept;
    err = listener_start(&s->listener, loop, config->bind, config->port,
                         (size_t)config->max_connections, error, CONFIG_ERROR_MAX);
    if (err == WSP_OK) {
        s->resolver = resolver_new(loop);
        if (s->resolver) {
            log_start(s);
            return WSP_OK;
        }
        snprintf(error, CONFIG_ERROR_MAX, "the name resolver cannot start");
        err = WSP_ERR_NOMEM;
    }
    server_stop(s);
    return err;
}

void server_stop(struct server *s)
{
    listener_stop(&s->listener);
    while (!list_empty(&s->fronts))
        front_free(front_of(s->fronts.next));
    while (!list_empty(&s->peers))
        peer_free(peer_of(s->peers.next));
    while (!list_empty(&s->exits))
        exit_free(exit_of(s->exits.next));
    resolver_free(s->resolver);
    s->resolver = NULL;
    egress_fini(&s->egress);
}
