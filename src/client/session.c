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
    struct list *node, *tmp;

    registrations_go_on(s);
    list_each (node, tmp, &s->users) {
        struct session_user *u = container_of(node, struct session_user, node);

        if (u->link_up)
            u->link_up(u);
    }
}

void session_link_settled(struct session *s)
{
    fill_up(s, (size_t)s->config->connections);
}

void session_link_leaving(struct session *s)
{
    fill_up(s, (size_t)s->config->connections);
    registrations_go_on(s);
}

void session_link_down(struct session *s)
{
    fill_up(s, 1);
    registrations_go_on(s);
}

/* ---- life */

/* A draining session ends with what was open; not within the callback that tells so. */
static void use_ended(struct session *s)
{
    if (s->draining && list_empty(&s->users) && list_empty(&s->targets.all) &&
        list_empty(&s->exits.all))
        task_post(s->client->loop, &s->drained);
}

static void on_target_ended(struct outbound_owner *owner)
{
    use_ended(container_of(owner, struct session, targets));
}

static void on_exit_ended(struct outbound_owner *owner)
{
    use_ended(container_of(owner, struct session, exits));
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

static void on_drained(struct task *t)
{
    struct session *s = container_of(t, struct session, drained);
    struct client *c = s->client;

    session_free(s);
    client_session_drained(c);
}

static void on_drain_time(struct timer *t)
{
    struct session *s = container_of(t, struct session, drain);

    log_info(loop_log(s->client->loop), "%s: ending what is still open", s->name);
    task_post(s->client->loop, &s->drained);
}

static void init_outbound(struct session *s)
{
    struct client *c = s->client;

    outbound_owner_init(&s->targets, c->loop, c->resolver, c->config->time.dial_us);
    s->targets.on_ended = on_target_ended;
    outbound_owner_init(&s->exits, c->loop, c->resolver, c->config->time.dial_us);
    s->exits.on_ended = on_exit_ended;
    s->exits.allowed = exit_allowed;
}

static struct session *session_alloc(struct client *c)
{
    struct session *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->client = c;
    list_init(&s->uplinks);
    list_init(&s->users);
    list_init(&s->registrations);
    list_init(&s->listeners);
    task_init(&s->drained, on_drained);
    s->drain.fire = on_drain_time;
    loop_random(s->instance, sizeof(s->instance));
    snprintf(s->name, sizeof(s->name), "link %u", ++c->last_session);
    init_outbound(s);
    list_push(&c->sessions, &s->node);
    c->session_count++;
    return s;
}

struct session *session_new(struct client *c, struct wspc_client *entry,
                            char error[CONFIG_ERROR_MAX])
{
    struct session *s = session_alloc(c);

    snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    if (!s)
        return NULL;
    s->config = wspc_client_take(entry);
    if (s->config && registrations_take(s) == WSP_OK && proxy_listeners_take(s) == WSP_OK &&
        secure(s, error) == WSP_OK)
        return s;
    session_free(s);
    return NULL;
}

enum wsp_err session_connect(struct session *s)
{
    const struct config_proxy *proxy = &s->config->proxy;

    if (proxy->host)
        log_info(loop_log(s->client->loop), "%s: goes through the proxy %s, which is set in %s",
                 s->name, proxy->shown, proxy->origin);
    return uplink_new(s) ? WSP_OK : WSP_ERR_NOMEM;
}

enum wsp_err session_begin(struct session *s, char error[CONFIG_ERROR_MAX])
{
    enum wsp_err err = proxy_listeners_open(s, error);

    return err == WSP_OK ? session_connect(s) : err;
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
    use_ended(u->session);
}

/* It is one of those that are configured no more. */
static void leave(struct session *s)
{
    if (!s->draining)
        s->client->session_count--;
    s->draining = true;
}

void session_drain(struct session *s)
{
    struct wsp_loop *loop = s->client->loop;
    struct list *node, *tmp;

    if (s->draining)
        return;
    leave(s);
    proxy_listeners_close(s);
    list_each (node, tmp, &s->uplinks)
        uplink_drain(uplink_of(node));
    list_each (node, tmp, &s->users) {
        struct session_user *u = container_of(node, struct session_user, node);

        if (u->drain)
            u->drain(u);
    }
    if (timer_set(loop, &s->drain, loop_now(loop) + s->client->config->time.drain_us) != WSP_OK)
        task_post(loop, &s->drained);
    use_ended(s);
}

void session_free(struct session *s)
{
    leave(s);
    proxy_listeners_close(s);
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
    timer_clear(s->client->loop, &s->drain);
    task_cancel(&s->drained);
    list_remove(&s->node);
    wspc_client_free(s->config);
    free(s);
}

/* The URL of the CONNECT. */
static enum wsp_err write_url(const struct session_target *to, char out[FORWARD_URL_MAX],
                              size_t *len)
{
    struct forward_open o = {.scheme = to->scheme,
                             .channel = slice_str(to->channel ? to->channel : ""),
                             .has_password = to->password != NULL,
                             .password = slice_str(to->password ? to->password : ""),
                             .host = to->host,
                             .port = to->port};

    if (to->channel && to->host.len == 0) {
        o.scheme = "tcp";
        o.host = slice_str("localhost");
        o.port = 0;
    } else if (to->channel) {
        /* The original cannot be reached through a channel by http://: its server does not know it.
         */
        o.scheme = "socks5";
    }
    return forward_open_write(&o, out, FORWARD_URL_MAX, len);
}

enum wsp_err session_open(struct session *s, struct chan *ch, const struct session_target *to)
{
    struct msg_request request = {.type = to->channel ? MSG_LOCAL : MSG_DYNAMIC};
    struct link *l = session_link(s);
    char url[FORWARD_URL_MAX];
    size_t len;

    if (!l)
        return WSP_ERR_REFUSED;
    if (to->url) {
        request.url = slice_str(to->url);
    } else {
        enum wsp_err err = write_url(to, url, &len);

        if (err != WSP_OK)
            return err;
        request.url = slice_of(url, len);
    }
    return link_open(l, ch, &request);
}
