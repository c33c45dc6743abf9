#include "client/uplink.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/server_tls.h"
#include "client/target.h"
#include "core/event.h"
#include "net/tls_context.h"

enum {
    CLIENT_CHANNELS_MAX = 65536,
    UPLINK_PEER_MAX = 1024, /* bytes of a server's URL that are told */
};

static void connect_now(struct uplink *u);

static struct client *client_of(const struct uplink *u)
{
    return u->session->client;
}

static struct wsp_loop *loop_of(const struct uplink *u)
{
    return client_of(u)->loop;
}

static struct log *log_of(const struct uplink *u)
{
    return loop_log(loop_of(u));
}

static const struct config_time *time_of(const struct uplink *u)
{
    return &client_of(u)->config->time;
}

static struct uplink *uplink_of_link(struct link *l)
{
    return container_of(container_of(l, struct carrier, link), struct uplink, carrier);
}

static void set_timer(struct uplink *u, uint64_t delay_us)
{
    timer_set(loop_of(u), &u->timer, loop_now(loop_of(u)) + delay_us); /* set before: cannot fail */
}

/* UP or DOWN; the peer is the server's URL without its query, where secrets can be. */
static void tell_link(struct uplink *u, enum wsp_event_kind kind, const char *why)
{
    const char *url = u->session->config->server;
    char peer[UPLINK_PEER_MAX];
    size_t len = strcspn(url, "?");
    struct wsp_event e = {.kind = kind, .link = u->name, .peer = peer, .text = why};

    snprintf(peer, sizeof(peer), "%.*s", (int)(len < sizeof(peer) ? len : sizeof(peer)), url);
    client_tell(client_of(u), &e);
}

static void tell_channel(const struct link *l, const struct chan *ch, const char *how)
{
    const struct uplink *u =
        container_of(container_of(l, struct carrier, link), struct uplink, carrier);
    char id[CHANNEL_TEXT_MAX];
    struct wsp_event e = channel_event(l, ch, how, id);

    client_tell(client_of(u), &e);
}

/* A random part of the back-off, so that clients of a server that fell do not return at once. */
static uint64_t next_delay(struct uplink *u)
{
    const struct config_time *time = time_of(u);
    uint64_t random, delay;

    if (u->backoff_us < time->reconnect_min_us)
        u->backoff_us = time->reconnect_min_us;
    loop_random(&random, sizeof(random));
    delay = random % (u->backoff_us + 1);
    u->backoff_us *= 2;
    if (u->backoff_us > time->reconnect_max_us)
        u->backoff_us = time->reconnect_max_us;
    return delay;
}

/* Whatever the state was: nothing of the attempt or the link is left, the next one is planned. */
static void retry(struct uplink *u, const char *why)
{
    uint64_t delay = next_delay(u);

    snprintf(u->error, sizeof(u->error), "%s", why);
    log_info(log_of(u), "%s: %s: %s; next try in %.1f s", u->name,
             u->state == UPLINK_UP ? "down" : "cannot connect", why, (double)delay / 1e6);
    dial_cancel(&u->dial);
    stream_close(&u->stream);
    via_fini(&u->via);
    upgrade_fini(&u->upgrade);
    u->state = UPLINK_WAITING;
    if (u->session->draining)
        timer_clear(loop_of(u), &u->timer);
    else
        set_timer(u, delay);
}

/* ---- up */

static void on_link_end(struct carrier *c, const char *why)
{
    struct uplink *u = container_of(c, struct uplink, carrier);
    struct session *s = u->session;

    link_totals_add(&client_of(u)->ended, &c->link);
    tell_link(u, WSP_LINK_DOWN, why);
    if (loop_now(loop_of(u)) - c->link.began_us >= time_of(u)->healthy_us)
        u->backoff_us = 0;
    if (u->leaving) {
        log_info(log_of(u), "%s: ended: %s", u->name, why);
        u->state = UPLINK_WAITING;
        uplink_free(u);
    } else {
        retry(u, why);
    }
    session_link_down(s);
}

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    target_open(uplink_of_link(l)->session, l, id, request);
}

static void on_settled(struct link *l)
{
    session_link_settled(uplink_of_link(l)->session);
}

/* What is open goes on there; another link takes over the rest. */
static void on_goaway(struct link *l)
{
    struct uplink *u = uplink_of_link(l);

    log_info(log_of(u), "%s: the server wants nothing new on it", u->name);
    u->leaving = true;
    session_link_leaving(u->session);
}

static void link_up(struct uplink *u, struct slice behind, enum link_dialect dialect)
{
    const struct config_time *time = time_of(u);
    const struct config_memory *memory = &client_of(u)->config->memory;
    const struct wspc_client *config = u->session->config;
    struct carrier_start start = {
        .loop = loop_of(u),
        .stream = &u->stream,
        .early = behind,
        .opt = {.server = false,
                .name = u->name,
                .max_channels = CLIENT_CHANNELS_MAX,
                .on_channel = client_of(u)->on_event ? tell_channel : NULL,
                .ping_us = time->ping_us,
                .dead_us = time->dead_us,
                .probe_us = time->probe_us,
                .probe_answer_us = time->probe_answer_us,
                .stall_us = time->stall_us,
                .dialect = dialect,
                .memory = &client_of(u)->memory,
                .memory_max = (size_t)memory->link_bytes,
                .window_max = (size_t)memory->channel_bytes},
        .connect = on_connect,
        .settled = on_settled,
        .goaway = on_goaway,
        .on_end = on_link_end,
    };

    memcpy(start.opt.instance, u->session->instance, sizeof(start.opt.instance));
    timer_clear(loop_of(u), &u->timer);
    if (carrier_start(&u->carrier, &start) != WSP_OK) {
        retry(u, "out of resources");
        return;
    }
    upgrade_fini(&u->upgrade);
    u->state = UPLINK_UP;
    log_info(log_of(u), "%s: up, to %s%s%s, dialect %s", u->name, config->server,
             config->proxy.host ? " through " : "", config->proxy.host ? config->proxy.shown : "",
             dialect == LINK_WSP_1 ? "wsp.1" : "0.10");
    tell_link(u, WSP_LINK_UP, NULL);
    session_link_up(u->session);
}

bool uplink_takes_opens(const struct uplink *u)
{
    return u->state == UPLINK_UP && link_takes_opens(&u->carrier.link);
}

/* ---- upgrading */

/* The session has another link in use. */
static bool has_sibling(const struct uplink *u)
{
    struct list *node, *tmp;

    list_each (node, tmp, &u->session->uplinks) {
        const struct uplink *other = container_of(node, struct uplink, node);

        if (other != u && other->state == UPLINK_UP && !other->leaving)
            return true;
    }
    return false;
}

static void on_dialect(struct uplink *u, enum handshake_dialect dialect, struct slice behind)
{
    const struct wspc_client *config = u->session->config;

    if (dialect == HANDSHAKE_WSP_1) {
        link_up(u, behind, LINK_WSP_1);
        return;
    }
    if (config->dialect == CONFIG_DIALECT_WSP_1) {
        retry(u, "the server does not speak wsp.1, which \"dialect\" demands");
        return;
    }
    if (has_sibling(u)) { /* several 0.10 links would be several clients */
        retry(u, "the server does not speak wsp.1: one connection is all it can use");
        return;
    }
    if (config->dialect == CONFIG_DIALECT_AUTO && !u->session->warned) {
        u->session->warned = true;
        log_warn(log_of(u),
                 "%s: the server speaks dialect 0.10 only: no half-close, and a slow reader can "
                 "hold up others",
                 u->name);
    }
    link_up(u, behind, LINK_0_10);
}

static void read_answer(struct uplink *u)
{
    enum wsp_err err = upgrade_read(&u->upgrade, &u->stream);

    if (err == WSP_OK)
        on_dialect(u, u->upgrade.dialect, u->upgrade.behind);
    else if (err != WSP_ERR_MORE)
        retry(u, u->upgrade.error);
}

/* The last step on the way up: the stream leads to the server, perhaps through others. */
static void upgrade(struct uplink *u)
{
    u->state = UPLINK_UPGRADING;
    if (upgrade_start(&u->upgrade, &u->stream, u->session->config) != WSP_OK)
        retry(u, u->upgrade.error);
    else if (u->stream.readable) /* what told us so was an event of the step before */
        read_answer(u);
}

/* ---- securing */

static void shake_hands(struct uplink *u)
{
    switch (stream_handshake(&u->stream)) {
    case WSP_OK:
        upgrade(u);
        break;
    case WSP_ERR_MORE:
        break;
    default:
        retry(u, stream_why(&u->stream));
    }
}

/* What the files say now is used; when they say nothing useful, what they said before. */
static void refresh_tls(struct uplink *u)
{
    char why[TLS_TEXT_MAX];

    if (server_tls_refresh(u->session, why, sizeof(why)) != WSP_OK)
        log_error(log_of(u), "%s: %s; what was loaded before stays in use", u->name, why);
    if (u->session->config->tls.insecure)
        log_warn(log_of(u), "%s: \"insecure\" is set: whoever answers is taken for the server",
                 u->name);
}

/* The stream leads to the server; for ws:// nothing is to be done here. */
static void secure(struct uplink *u)
{
    if (!u->session->config->secure) {
        upgrade(u);
        return;
    }
    u->state = UPLINK_SECURING;
    refresh_tls(u);
    if (stream_secure(&u->stream, u->session->tls, server_tls_name(u->session)) != WSP_OK)
        retry(u, "TLS cannot start");
    else
        shake_hands(u);
}

/* ---- through a proxy */

static void read_proxy(struct uplink *u)
{
    enum wsp_err err = via_read(&u->via, &u->stream);

    if (err == WSP_ERR_MORE)
        return;
    if (err != WSP_OK) {
        retry(u, u->via.error);
        return;
    }
    via_fini(&u->via);
    secure(u);
}

/* From whom was dialled to the server. */
static void tunnel(struct uplink *u)
{
    const struct wspc_client *config = u->session->config;

    if (!config->proxy.host) {
        secure(u);
        return;
    }
    u->state = UPLINK_TUNNELLING;
    if (via_start(&u->via, &u->stream, config) != WSP_OK)
        retry(u, u->via.error);
}

/* While the proxy is what we talk to, it is the one to blame. */
static const char *blame(struct uplink *u, const char *text)
{
    const struct config_proxy *proxy = &u->session->config->proxy;

    return proxy->host ? via_error(&u->via, proxy, text) : text;
}

/* ---- connecting: a step for each state, and each begins the next */

static void on_stream(struct stream *stream)
{
    struct uplink *u = container_of(stream, struct uplink, stream);

    if (u->state == UPLINK_TUNNELLING)
        read_proxy(u);
    else if (u->state == UPLINK_SECURING)
        shake_hands(u);
    else if (u->state == UPLINK_UPGRADING)
        read_answer(u);
}

static void on_dialled(struct dial *d, enum dial_status status, int fd, const char *text)
{
    struct uplink *u = container_of(d, struct uplink, dial);

    if (status != DIAL_OK) {
        retry(u, blame(u, text));
        return;
    }
    if (stream_init(&u->stream, loop_of(u), fd, on_stream) != WSP_OK) {
        retry(u, "out of resources");
        return;
    }
    set_timer(u, time_of(u)->handshake_us); /* for all steps that follow together */
    tunnel(u);
}

static void connect_now(struct uplink *u)
{
    const struct wspc_client *config = u->session->config;
    bool direct = !config->proxy.host;
    struct dial_options options = {
        .host = direct ? config->host : config->proxy.host,
        .port = direct ? config->port : config->proxy.port,
        .timeout_us = time_of(u)->dial_us,
    };

    log_debug(log_of(u), "%s: connecting to %s", u->name, config->server);
    u->state = UPLINK_DIALING;
    if (dial_start(loop_of(u), client_of(u)->resolver, &u->dial, &options) != WSP_OK)
        retry(u, "out of resources");
}

static void on_timer(struct timer *t)
{
    struct uplink *u = container_of(t, struct uplink, timer);

    if (u->state == UPLINK_WAITING)
        connect_now(u);
    else if (u->state == UPLINK_TUNNELLING)
        retry(u, blame(u, "no answer in time"));
    else
        retry(u, "no answer to the handshake in time");
}

struct uplink *uplink_new(struct session *s)
{
    struct uplink *u = calloc(1, sizeof(*u));
    size_t number = ++s->uplink_number;
    uint64_t delay_us = 0;

    if (!u)
        return NULL;
    u->session = s;
    u->dial.on_done = on_dialled;
    u->stream.loop = s->client->loop;
    u->stream.watch.fd = -1;
    u->timer.fire = on_timer;
    snprintf(u->name, sizeof(u->name), number == 1 ? "%s" : "%s.%zu", s->name, number);
    if (number > (size_t)s->config->connections)
        delay_us = next_delay(u); /* it replaces one that was sent away */
    if (timer_set(loop_of(u), &u->timer, loop_now(loop_of(u)) + delay_us) != WSP_OK) {
        free(u);
        return NULL;
    }
    list_push(&s->uplinks, &u->node);
    return u;
}

void uplink_drain(struct uplink *u)
{
    if (u->state == UPLINK_WAITING)
        timer_clear(loop_of(u), &u->timer);
    else if (u->state == UPLINK_UP)
        link_goaway(&u->carrier.link);
}

void uplink_free(struct uplink *u)
{
    if (u->state == UPLINK_UP) {
        link_totals_add(&client_of(u)->ended, &u->carrier.link);
        carrier_fini(&u->carrier);
        tell_link(u, WSP_LINK_DOWN, "not needed any more");
    }
    dial_cancel(&u->dial);
    stream_close(&u->stream);
    via_fini(&u->via);
    upgrade_fini(&u->upgrade);
    timer_clear(loop_of(u), &u->timer);
    list_remove(&u->node);
    free(u);
}
