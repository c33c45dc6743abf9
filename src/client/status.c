#include "client/status.h"

#include <stdio.h>

#include "client/registration.h"
#include "client/uplink.h"

static struct uplink *uplink_of(struct list *node)
{
    return container_of(node, struct uplink, node);
}

/* ---- an entry of `client` */

/* Without its query: that may be somebody's secret. */
static void server_write(const struct wspc_client *config, struct json_out *j)
{
    json_out_string(j, "server", slice_of(config->server, strcspn(config->server, "?")));
}

static void next_try_write(const struct client *c, const struct timer *t, struct json_out *j)
{
    uint64_t now = loop_now(c->loop);

    if (timer_is_set(t))
        json_out_seconds(j, "next_try_s", t->due_us > now ? t->due_us - now : 0);
    else
        json_out_null(j, "next_try_s");
}

static void uplink_write(const struct uplink *u, struct json_out *j)
{
    static const char *const states[] = {
        [UPLINK_WAITING] = "waiting",       [UPLINK_DIALING] = "connecting",
        [UPLINK_TUNNELLING] = "tunnelling", [UPLINK_SECURING] = "securing",
        [UPLINK_UPGRADING] = "upgrading",   [UPLINK_UP] = "up"};
    const struct client *c = u->session->client;

    json_out_object(j, NULL);
    json_out_text(j, "name", u->name);
    json_out_text(j, "state", states[u->state]);
    json_out_text(j, "last_error", u->error[0] ? u->error : NULL);
    if (u->state == UPLINK_UP)
        link_status_write(&u->carrier.link, j, loop_now(c->loop));
    else if (u->state == UPLINK_WAITING)
        next_try_write(c, &u->timer, j);
    json_out_end_object(j);
}

static void listener_write(const struct proxy_listener *p, struct json_out *j)
{
    static const char *const kinds[] = {
        [WSPC_SOCKS5] = "socks5", [WSPC_HTTP] = "http", [WSPC_LOCAL] = "local"};
    char text[ADDRESS_TEXT_MAX];

    address_text(&p->listener.local, text);
    json_out_object(j, NULL);
    json_out_text(j, "kind", kinds[p->config.kind]);
    if (p->listener.socket_count == 0) /* not open yet */
        json_out_null(j, "address");
    else
        json_out_text(j, "address", p->config.path ? p->config.path : text);
    json_out_text(j, "channel", p->config.channel);
    json_out_uint(j, "connections", p->listener.accepted);
    json_out_end_object(j);
}

static void registration_write(const struct registration *r, struct json_out *j)
{
    static const char *const states[] = {[REGISTRATION_WANTED] = "waiting",
                                         [REGISTRATION_ASKED] = "asked",
                                         [REGISTRATION_LATE] = "late",
                                         [REGISTRATION_DONE] = "registered",
                                         [REGISTRATION_REFUSED] = "refused"};
    bool refused = r->state == REGISTRATION_REFUSED;

    if (r->unwanted)
        return;
    json_out_object(j, NULL);
    json_out_text(j, "name", r->remote.name);
    json_out_text(j, "target", r->remote.redacted);
    json_out_text(j, "state", states[r->state]);
    json_out_text(j, "last_error", refused ? r->error : NULL);
    if (refused)
        next_try_write(r->session->client, &r->timer, j);
    json_out_end_object(j);
}

static void session_write(struct session *s, struct json_out *j)
{
    struct list *node, *tmp;

    json_out_object(j, NULL);
    json_out_text(j, "name", s->name);
    server_write(s->config, j);
    json_out_bool(j, "draining", s->draining);
    json_out_array(j, "links");
    list_each (node, tmp, &s->uplinks)
        uplink_write(uplink_of(node), j);
    json_out_end_array(j);
    json_out_array(j, "listeners");
    list_each (node, tmp, &s->listeners)
        listener_write(container_of(node, struct proxy_listener, node), j);
    json_out_end_array(j);
    json_out_array(j, "remote");
    list_each (node, tmp, &s->registrations)
        registration_write(container_of(node, struct registration, node), j);
    json_out_end_array(j);
    json_out_end_object(j);
}

/* ---- all of them */

static void limits_write(const struct wspc_config *c, struct json_out *j)
{
    json_out_object(j, "limits");
    json_out_uint(j, "connections", (uint64_t)c->max_connections);
    json_out_uint(j, "memory", (uint64_t)c->memory.process_bytes);
    json_out_uint(j, "link_memory", (uint64_t)c->memory.link_bytes);
    json_out_uint(j, "channel_memory", (uint64_t)c->memory.channel_bytes);
    json_out_end_object(j);
}

/* What all entries have together. */
struct sums {
    struct link_totals totals;
    size_t links, channels, held_bytes, connections, names, targets;
};

static void add_link(struct sums *sums, const struct link *l)
{
    struct link_usage usage = link_usage(l);

    link_totals_add(&sums->totals, l);
    sums->links++;
    sums->channels += usage.channels;
    sums->held_bytes += usage.held_bytes;
}

static void add_session(struct sums *sums, struct session *s)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->uplinks)
        if (uplink_of(node)->state == UPLINK_UP)
            add_link(sums, &uplink_of(node)->carrier.link);
    list_each (node, tmp, &s->registrations)
        sums->names += container_of(node, struct registration, node)->state == REGISTRATION_DONE;
    sums->connections += list_count(&s->users);
    sums->targets += list_count(&s->targets.all) + list_count(&s->exits.all);
}

static void sums_write(const struct sums *sums, struct json_out *j)
{
    json_out_object(j, "usage");
    json_out_uint(j, "links", sums->links);
    json_out_uint(j, "channels", sums->channels);
    json_out_uint(j, "connections", sums->connections);
    json_out_uint(j, "names", sums->names);
    json_out_uint(j, "targets", sums->targets);
    json_out_uint(j, "held_bytes", sums->held_bytes);
    json_out_end_object(j);
    json_out_object(j, "totals");
    link_totals_write(&sums->totals, j);
    json_out_end_object(j);
}

static void channels_write(struct client *c, struct json_out *j)
{
    size_t room = STATUS_LIST_MAX;
    struct list *at, *next, *node, *tmp;

    json_out_array(j, "channels");
    list_each (at, next, &c->sessions)
        list_each (node, tmp, &session_at(at)->uplinks)
            if (uplink_of(node)->state == UPLINK_UP)
                channels_status_write(&uplink_of(node)->carrier.link, j, &room);
    json_out_end_array(j);
}

void client_status_write(struct client *c, struct json_out *j)
{
    struct sums sums = {.totals = c->ended};
    struct list *node, *tmp;

    list_each (node, tmp, &c->sessions)
        add_session(&sums, session_at(node));
    memory_status_write(loop_pool(c->loop), &c->memory, j);
    limits_write(c->config, j);
    sums_write(&sums, j);
    json_out_array(j, "clients");
    list_each (node, tmp, &c->sessions)
        session_write(session_at(node), j);
    json_out_end_array(j);
    channels_write(c, j);
}
