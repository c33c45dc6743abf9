#include "server/server.h"

#include <stdio.h>

#include "net/tls_context.h"
#include "server/crossing.h"
#include "server/detached.h"
#include "server/exit.h"
#include "server/front.h"
#include "server/peer.h"
#include "server/proxied.h"
#include "server/service.h"
#include "server/service_tls.h"
#include "server/ws_wrap.h"

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
    struct server *s = container_of(l, struct server, listener);
    struct address unasked = {.len = 0};

    if (s->config->proxies.header_required)
        proxied_accept(s, fd, peer);
    else
        front_accept(s, fd, peer, &unasked);
}

static void on_drained(struct task *t)
{
    struct server *s = container_of(t, struct server, drained);

    s->on_drained(s);
}

static void on_drain_time(struct timer *t)
{
    struct server *s = container_of(t, struct server, drain);

    log_info(loop_log(s->loop), "wsps: ending what is still open");
    task_post(s->loop, &s->drained);
}

static void log_start(const struct server *s)
{
    struct log *log = loop_log(s->loop);
    char text[ADDRESS_TEXT_MAX];
    struct address local;

    address_text(&s->listener.local, text);
    if (!s->config->auth)
        log_warn(log,
                 "wsps: NO AUTH IS SET: this is an open proxy for everybody who reaches %s; "
                 "set \"auth\" in the configuration",
                 s->listener.socket_count ? text : "it");
    if (!s->listener.socket_count)
        log_info(log, "wsps: takes what is handed over, links on path %s", s->config->path);
    for (size_t i = 0; listener_address(&s->listener, i, &local); i++) {
        address_text(&local, text);
        log_info(log, "wsps: listening on %s%s%s, links on path %s", text,
                 s->listener.passed ? " (a socket that was passed)" : "",
                 s->certificates.tls ? " with TLS" : "", s->config->path);
    }
    if (s->config->proxies.header_required)
        log_info(log, "wsps: every connection has to begin with a PROXY header");
}

/* A file that cannot be used is told at once, not at the first visitor. */
static enum wsp_err check_upstream_ca(const struct wsps_config *config,
                                      char error[CONFIG_ERROR_MAX])
{
    for (size_t i = 0; i < config->upstream_ca_count; i++) {
        struct tls_options options = {.ca_file = config->upstream_ca[i].file};
        char why[TLS_TEXT_MAX];
        struct tls_context *x = tls_context_new(&options, why, sizeof(why));

        if (!x) {
            snprintf(error, CONFIG_ERROR_MAX, "upstream_ca.%.64s: %s", config->upstream_ca[i].name,
                     why);
            return WSP_ERR_CONFIG;
        }
        tls_context_unref(x);
    }
    return WSP_OK;
}

/* What a configuration needs but for its listener. */
struct prepared {
    struct egress egress;
    struct certificates_read certificates; /* the public port's */
};

static void discard(struct prepared *p)
{
    egress_fini(&p->egress);
    tls_context_unref(p->certificates.tls);
}

static enum wsp_err prepare(const struct wsps_config *config, struct prepared *out,
                            char error[CONFIG_ERROR_MAX])
{
    enum wsp_err err = check_upstream_ca(config, error);

    *out = (struct prepared){0};
    if (err == WSP_OK)
        err = egress_init(&out->egress, config->egress_allow, config->egress_deny, error);
    if (err != WSP_OK)
        return err;
    err = certificates_load(&config->ssl, &out->certificates, error);
    if (err != WSP_OK)
        discard(out);
    return err;
}

/* Without memory for it there is no limit, rather than no service. */
static void set_rate(struct server *s)
{
    if (rate_table_set(&s->rate, (unsigned)s->config->max_rate) != WSP_OK)
        log_error(loop_log(s->loop), "wsps: limits.handshakes_per_second: out of memory");
}

static struct listener_options listener_options_of(const struct wsps_config *config)
{
    return (struct listener_options){
        .bind = config->bind, .port = config->port, .limit = (size_t)config->max_connections};
}

enum wsp_err server_start(struct server *s, struct wsp_loop *loop, struct wsps_config *config,
                          const struct server_sources *sources, char error[CONFIG_ERROR_MAX])
{
    struct listener_options options = listener_options_of(config);
    struct prepared prepared;
    uint64_t seed[2];
    enum wsp_err err;

    *s = (struct server){.loop = loop, .config = config};
    loop_random(seed, sizeof(seed));
    map_init(&s->services, seed);
    map_init(&s->instances, seed);
    s->memory.max = (size_t)config->memory.process_bytes;
    list_init(&s->proxied);
    list_init(&s->fronts);
    list_init(&s->detached);
    list_init(&s->peers);
    list_init(&s->wraps);
    list_init(&s->crossings);
    task_init(&s->drained, on_drained);
    s->drain.fire = on_drain_time;
    s->noise = (struct log_limit){.window_us = 10000000, .burst = 20};
    s->flood = (struct log_limit){.window_us = 10000000, .burst = 1};
    err = prepare(config, &prepared, error);
    if (err != WSP_OK) {
        listener_sockets_close(sources->passed);
        return err;
    }
    s->egress = prepared.egress;
    certificates_start(&s->certificates, loop, &config->ssl, &prepared.certificates);
    set_rate(s);
    s->listener.on_accept = on_accept;
    options.passed = sources->passed;
    options.nowhere = sources->no_listener;
    err = listener_start(&s->listener, loop, &options, error);
    if (err == WSP_OK) {
        s->resolver = resolver_new(loop);
        if (s->resolver) {
            exit_init(s);
            log_start(s);
            return WSP_OK;
        }
        snprintf(error, CONFIG_ERROR_MAX, "the name resolver cannot start");
        err = WSP_ERR_NOMEM;
    }
    server_stop(s);
    return err;
}

/* ---- reload */

static bool same_address(const struct wsps_config *a, const struct wsps_config *b)
{
    return a->port == b->port && config_same_text(a->bind, b->bind);
}

/* From here on nothing fails. */
static void take_config(struct server *s, struct wsps_config *with, struct prepared *prepared)
{
    struct wsps_config old = *s->config;

    *s->config = *with;
    *with = old;
    egress_fini(&s->egress);
    s->egress = prepared->egress;
    certificates_renew(&s->certificates, &prepared->certificates);
    s->exits.dial_us = s->config->time.dial_us;
    s->memory.max = (size_t)s->config->memory.process_bytes;
    listener_set_limit(&s->listener, (size_t)s->config->max_connections);
    set_rate(s);
    service_tls_renew(s);
}

enum wsp_err server_reload(struct server *s, struct wsps_config *with, char error[CONFIG_ERROR_MAX])
{
    struct listener_options options = listener_options_of(with);
    struct prepared prepared;
    enum wsp_err err = prepare(with, &prepared, error);

    if (err != WSP_OK)
        return err;
    /* The last step that can fail, since it shows outside. */
    if (s->listener.socket_count && !s->listener.passed && !same_address(s->config, with))
        err = listener_move(&s->listener, &options, error);
    if (err != WSP_OK) {
        discard(&prepared);
        return err;
    }
    take_config(s, with, &prepared);
    log_start(s);
    return WSP_OK;
}

void server_tell(struct server *s, const struct wsp_event *e)
{
    if (s->on_event)
        s->on_event(s, e);
}

void server_use_ended(struct server *s)
{
    if (s->draining && list_empty(&s->exits.all) && list_empty(&s->fronts) &&
        list_empty(&s->wraps) && list_empty(&s->detached) && list_empty(&s->crossings))
        task_post(s->loop, &s->drained);
}

void server_drain(struct server *s, void (*on_drained_cb)(struct server *s))
{
    s->draining = true;
    s->on_drained = on_drained_cb;
    listener_stop(&s->listener);
    proxied_end_all(s);
    fronts_drain(s);
    peers_drain(s);
    if (timer_set(s->loop, &s->drain, loop_now(s->loop) + s->config->time.drain_us) != WSP_OK)
        task_post(s->loop, &s->drained);
    server_use_ended(s);
}

void server_stop(struct server *s)
{
    struct map_node *n;

    listener_stop(&s->listener);
    proxied_end_all(s);
    while (!list_empty(&s->fronts))
        front_free(front_of(s->fronts.next));
    while (!list_empty(&s->detached))
        detached_free(detached_of(s->detached.next));
    while (!list_empty(&s->crossings))
        crossing_free(crossing_of(s->crossings.next));
    while (!list_empty(&s->wraps))
        ws_wrap_free(ws_wrap_of(s->wraps.next));
    while (!list_empty(&s->peers))
        peer_free(peer_of(s->peers.next));
    while ((n = map_any(&s->services)))
        service_free(container_of(n, struct service, node));
    map_fini(&s->services);
    map_fini(&s->instances);
    tls_context_unref(s->tls);
    s->tls = NULL;
    certificates_stop(&s->certificates);
    if (s->resolver)
        outbound_owner_fini(&s->exits);
    timer_clear(s->loop, &s->drain);
    task_cancel(&s->drained);
    resolver_free(s->resolver);
    s->resolver = NULL;
    egress_fini(&s->egress);
    rate_table_fini(&s->rate);
}
