#include "client/proxy_listener.h"

#include <stdlib.h>

#include "client/http_in.h"
#include "client/local_in.h"
#include "client/socks5_in.h"
#include "config/wspc_same.h"

enum { RETRY_US = 2000000 };

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
    struct proxy_listener *p = container_of(l, struct proxy_listener, listener);

    (void)peer;
    switch (p->config.kind) {
    case WSPC_HTTP:
        http_in_accept(p, fd);
        break;
    case WSPC_SOCKS5:
        socks5_in_accept(p, fd);
        break;
    case WSPC_LOCAL:
        local_in_accept(p, fd);
        break;
    }
}

static void log_start(const struct proxy_listener *p)
{
    static const char *const kinds[] = {"SOCKS5 proxy", "HTTP proxy", "local forward"};
    struct log *log = loop_log(p->listener.loop);
    char text[ADDRESS_TEXT_MAX];
    const char *kind = kinds[p->config.kind];

    address_text(&p->listener.local, text);
    log_info(log, "%s: %s listening on %s%s%s", p->session->name, kind,
             p->config.path ? p->config.path : text, p->config.channel ? ", to channel " : "",
             p->config.channel ? p->config.channel : "");
    if (p->config.kind != WSPC_LOCAL && !p->session->config->dynamic_user &&
        !address_is_loopback(&p->listener.local))
        log_warn(log,
                 "%s: the %s on %s is open to everybody who reaches it; set \"dynamic_auth\" or "
                 "bind it to a loopback address",
                 p->session->name, kind, text);
}

static struct proxy_listener *listener_of(struct list *node)
{
    return container_of(node, struct proxy_listener, node);
}

static void forget(struct proxy_listener *p)
{
    wspc_listener_fini(&p->config);
    free(p);
}

void proxy_listener_release(struct proxy_listener *p)
{
    listener_release(&p->listener);
    if (p->closed && p->listener.accepted == 0)
        forget(p);
}

struct session_target proxy_listener_target(const struct proxy_listener *p, const char *scheme,
                                            struct slice host, unsigned port)
{
    const struct wspc_listener *config = &p->config;
    struct session_target to = {.channel = config->channel, .password = config->password};

    if (config->kind != WSPC_LOCAL) {
        to.scheme = scheme;
        to.host = host;
        to.port = port;
    } else if (!config->path) { /* that of a unix socket is nobody else's business */
        to.url = config->url;
    }
    return to;
}

static void on_tunnel_opened(struct tunnel_owner *o)
{
    container_of(o, struct proxy_listener, owner)->opened++;
}

static void on_tunnel_ended(struct tunnel_owner *o, enum wsp_err why, const char *text)
{
    struct proxy_listener *p = container_of(o, struct proxy_listener, owner);

    if (why == WSP_ERR_REFUSED && p->config.kind == WSPC_LOCAL) /* there is no other place for it */
        log_warn(loop_log(p->session->client->loop), "%s: channel %s: %s", p->session->name,
                 p->config.channel, text);
    proxy_listener_release(p);
}

const struct tunnel_owner proxy_listener_owner = {.opened = on_tunnel_opened,
                                                  .ended = on_tunnel_ended};

static void close_one(struct proxy_listener *p)
{
    timer_clear(p->session->client->loop, &p->retry);
    listener_stop(&p->listener);
    list_remove(&p->node);
    p->closed = true;
    if (p->listener.accepted == 0)
        forget(p);
}

void proxy_listeners_close(struct session *s)
{
    struct list *node;

    while ((node = list_shift(&s->listeners)))
        close_one(listener_of(node));
}

/* ---- opening */

static bool is_open(const struct proxy_listener *p)
{
    return p->listener.socket_count > 0;
}

static enum wsp_err open_one(struct proxy_listener *p, char error[CONFIG_ERROR_MAX])
{
    const struct client *c = p->session->client;
    struct listener_options options = {.bind = p->config.bind,
                                       .port = p->config.port,
                                       .path = p->config.path,
                                       .limit = (size_t)c->config->max_connections};
    enum wsp_err err = listener_start(&p->listener, c->loop, &options, error);

    if (err == WSP_OK)
        log_start(p);
    return err;
}

enum wsp_err proxy_listeners_open(struct session *s, char error[CONFIG_ERROR_MAX])
{
    struct list *node, *tmp;
    enum wsp_err err = WSP_OK;

    list_each (node, tmp, &s->listeners) {
        err = open_one(listener_of(node), error);
        if (err != WSP_OK)
            break;
    }
    return err;
}

static void retry_later(struct proxy_listener *p)
{
    struct wsp_loop *loop = p->session->client->loop;

    timer_set(loop, &p->retry, loop_now(loop) + RETRY_US); /* a later reload sees to a failure */
}

static void on_retry(struct timer *t)
{
    struct proxy_listener *p = container_of(t, struct proxy_listener, retry);
    char error[CONFIG_ERROR_MAX];

    if (open_one(p, error) != WSP_OK)
        retry_later(p);
}

/* A name would have to be looked up each time, while all else waits. */
static bool is_literal(const struct wspc_listener *config)
{
    return !config->bind || config_address_ok(slice_str(config->bind));
}

static void try_to_open(struct proxy_listener *p)
{
    struct log *log = loop_log(p->session->client->loop);
    char error[CONFIG_ERROR_MAX];

    timer_clear(p->session->client->loop, &p->retry);
    if (open_one(p, error) == WSP_OK)
        return;
    log_error(log, "%s: %s; trying again %s", p->session->name, error,
              is_literal(&p->config) ? "every 2 s" : "at the next reload");
    if (is_literal(&p->config))
        retry_later(p);
}

void proxy_listeners_open_missing(struct session *s)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->listeners)
        if (!is_open(listener_of(node)))
            try_to_open(listener_of(node));
}

/* ---- what there is */

static struct proxy_listener *take(struct session *s, struct wspc_listener *from)
{
    struct proxy_listener *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->session = s;
    p->owner = proxy_listener_owner;
    p->config = *from;
    *from = (struct wspc_listener){0};
    p->listener.on_accept = on_accept;
    p->retry.fire = on_retry;
    list_push(&s->listeners, &p->node);
    return p;
}

enum wsp_err proxy_listeners_take(struct session *s)
{
    for (size_t i = 0; i < s->config->listener_count; i++)
        if (s->config->listener[i].url && !take(s, &s->config->listener[i]))
            return WSP_ERR_NOMEM;
    return WSP_OK;
}

/* The entry's equal, or NULL. */
static struct wspc_listener *find(const struct wspc_client *entry, const struct wspc_listener *like)
{
    for (size_t i = 0; i < entry->listener_count; i++)
        if (entry->listener[i].url && wspc_listener_same(&entry->listener[i], like))
            return &entry->listener[i];
    return NULL;
}

void proxy_listeners_close_others(struct session *s, struct wspc_client *entry)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->listeners) {
        struct wspc_listener *same = find(entry, &listener_of(node)->config);

        if (same)
            wspc_listener_fini(same);
        else
            close_one(listener_of(node));
    }
}

void proxy_listeners_set_limit(struct session *s, size_t limit)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->listeners)
        if (is_open(listener_of(node)))
            listener_set_limit(&listener_of(node)->listener, limit);
}
