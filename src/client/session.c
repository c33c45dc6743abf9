#include "client/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/proxy_listener.h"
#include "client/registration.h"
#include "client/server_tls.h"
#include "client/uplink.h"
#include "net/tls_context.h"
#include "proto/forward.h"

enum { LEAVING_MAX = 4 }; /* links that a server has sent away and that are still open, for each */

static struct uplink *uplink_of(struct list *node)
{
    return container_of(node, struct uplink, node);
}

/* ---- links */

struct link *session_link(struct session *s)
{
    struct link *best = NULL;
    struct list *node, *tmp;

    list_each (node, tmp, &s->uplinks) {
        struct uplink *u = uplink_of(node);

        if (uplink_takes_opens(u) &&
            (!best || u->carrier.link.channels.count < best->channels.count))
            best = &u->carrier.link;
    }
    return best;
}

/* As many as wanted, those that leave not counted. */
static void fill_up(struct session *s, size_t wanted)
{
    struct list *node, *tmp;
    size_t count = 0, leaving = 0;

    list_each (node, tmp, &s->uplinks) {
        count += !uplink_of(node)->leaving;
        leaving += uplink_of(node)->leaving;
    }
    if (leaving > LEAVING_MAX * wanted)
        return; /* this server sends away whoever comes: wait until it lets go of them */
    for (; count < wanted && !s->client->draining; count++)
        if (!uplink_new(s))
            log_error(loop_log(s->client->loop), "%s: out of memory for a link", s->name);
}

void session_link_up(struct session *s)
{
    registrations_go_on(s);
    client_links_changed(s->client);
}

void session_link_settled(struct session *s)
{
    fill_up(s, (size_t)s->config->connections);
}

void session_link_leaving(struct session *s)
{
    fill_up(s, (size_t)s->config->connections);
    registrations_go_on(s);
    client_links_changed(s->client);
}

void session_link_down(struct session *s)
{
    fill_up(s, 1);
    registrations_go_on(s);
    client_links_changed(s->client);
}

/* ---- life */

static void on_target_ended(struct outbound_owner *owner)
{
    client_user_ended(container_of(owner, struct session, targets)->client);
}

static void on_exit_ended(struct outbound_owner *owner)
{
    client_user_ended(container_of(owner, struct session, exits)->client);
}

static bool exit_allowed(struct outbound_owner *owner, const char *host,
                         const struct address *address)
{
    struct session *s = container_of(owner, struct session, exits);

    return egress_address_ok(&s->client->egress, slice_str(host), address);
}

static enum wsp_err secure(struct session *s, char error[CONFIG_ERROR_MAX])
{
    char why[TLS_TEXT_MAX];

    if (server_tls_refresh(s, why, sizeof(why)) == WSP_OK)
        return WSP_OK;
    snprintf(error, CONFIG_ERROR_MAX, "%s: %s", s->name, why);
    return WSP_ERR_CONFIG;
}

struct session *session_new(struct client *c, size_t index, char error[CONFIG_ERROR_MAX],
                            enum wsp_err *err)
{
    struct session *s = calloc(1, sizeof(*s));

    *err = WSP_ERR_NOMEM;
    if (!s)
        return NULL;
    s->client = c;
    s->config = &c->config->client[index];
    list_init(&s->uplinks);
    list_init(&s->users);
    loop_random(s->instance, sizeof(s->instance));
    snprintf(s->name, sizeof(s->name), "link %zu", index + 1);
    if (s->config->proxy.host)
        log_info(loop_log(c->loop), "%s: goes through the proxy %s, which is set in %s", s->name,
                 s->config->proxy.shown, s->config->proxy.origin);
    outbound_owner_init(&s->targets, c->loop, c->resolver, c->config->time.dial_us);
    s->targets.on_ended = on_target_ended;
    outbound_owner_init(&s->exits, c->loop, c->resolver, c->config->time.dial_us);
    s->exits.on_ended = on_exit_ended;
    s->exits.allowed = exit_allowed;
    *err = registrations_init(s);
    if (*err == WSP_OK)
        *err = secure(s, error);
    if (*err == WSP_OK)
        *err = proxy_listeners_start(s, error);
    if (*err == WSP_OK && !uplink_new(s))
        *err = WSP_ERR_NOMEM;
    if (*err != WSP_OK) {
        session_free(s);
        return NULL;
    }
    return s;
}

void session_join(struct session *s, struct session_user *u, void (*end)(struct session_user *u))
{
    u->session = s;
    u->end = end;
    list_push(&s->users, &u->node);
}

void session_leave(struct session_user *u)
{
    list_remove(&u->node);
    client_user_ended(u->session->client);
}

void session_drain(struct session *s)
{
    struct list *node, *tmp;

    proxy_listeners_stop(s);
    list_each (node, tmp, &s->uplinks)
        uplink_drain(uplink_of(node));
    list_each (node, tmp, &s->users) {
        struct session_user *u = container_of(node, struct session_user, node);

        if (u->drain)
            u->drain(u);
    }
}

void session_free(struct session *s)
{
    if (!s)
        return;
    proxy_listeners_stop(s);
    while (!list_empty(&s->users)) {
        struct session_user *u = container_of(s->users.next, struct session_user, node);

        u->end(u);
    }
    registrations_fini(s);
    while (!list_empty(&s->uplinks))
        uplink_free(uplink_of(s->uplinks.next));
    outbound_owner_fini(&s->targets);
    outbound_owner_fini(&s->exits);
    tls_context_unref(s->tls);
    free(s->proxy);
    free(s);
}

enum wsp_err session_open(struct proxy_listener *p, struct chan *ch, const char *scheme,
                          struct slice host, unsigned port)
{
    const struct wspc_listener *l = p->config;
    /* The original cannot be reached through a channel by http://: its server does not know it. */
    struct forward_open o = {.scheme = l->channel ? "socks5" : scheme,
                             .channel = slice_str(l->channel ? l->channel : ""),
                             .has_password = l->password != NULL,
                             .password = slice_str(l->password ? l->password : ""),
                             .host = host,
                             .port = port};
    struct msg_request request = {.type = l->channel ? MSG_LOCAL : MSG_DYNAMIC};
    struct link *to = session_link(p->session);
    char url[FORWARD_URL_MAX];
    size_t len;

    if (!to)
        return WSP_ERR_REFUSED;
    if (l->kind == WSPC_LOCAL &&
        l->path) { /* the path of a unix socket is nobody else's business */
        o.scheme = "tcp";
        o.host = slice_str("localhost");
    }
    if (l->kind == WSPC_LOCAL && !l->path) {
        request.url = slice_str(l->url);
    } else {
        enum wsp_err err = forward_open_write(&o, url, sizeof(url), &len);

        if (err != WSP_OK)
            return err;
        request.url = slice_of(url, len);
    }
    return link_open(to, ch, &request);
}
