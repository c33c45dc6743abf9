#include "client/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/proxy_listener.h"
#include "client/registration.h"
#include "client/target.h"
#include "proto/forward.h"
#include "proto/handshake.h"

enum { CLIENT_CHANNELS_MAX = 65536 };

static void connect_now(struct session *s);

static struct log *log_of(const struct session *s)
{
    return loop_log(s->client->loop);
}

static void set_timer(struct session *s, uint64_t delay_us)
{
    struct wsp_loop *loop = s->client->loop;

    timer_set(loop, &s->timer, loop_now(loop) + delay_us); /* set before: cannot fail */
}

/* A random part of the back-off, so that clients of a server that fell do not return at once. */
static uint64_t next_delay(struct session *s)
{
    const struct config_time *time = &s->client->config->time;
    uint64_t random, delay;

    if (s->backoff_us < time->reconnect_min_us)
        s->backoff_us = time->reconnect_min_us;
    loop_random(&random, sizeof(random));
    delay = random % (s->backoff_us + 1);
    s->backoff_us *= 2;
    if (s->backoff_us > time->reconnect_max_us)
        s->backoff_us = time->reconnect_max_us;
    return delay;
}

/* Whatever the state was: nothing of the attempt or the link is left, the next one is planned. */
static void retry(struct session *s, const char *why)
{
    uint64_t delay = next_delay(s);

    log_info(log_of(s), "%s: %s: %s; next try in %.1f s", s->name,
             s->state == SESSION_UP ? "down" : "cannot connect", why, (double)delay / 1e6);
    dial_cancel(&s->dial);
    stream_close(&s->stream);
    head_reader_fini(&s->reader);
    s->state = SESSION_WAITING;
    if (s->client->draining)
        timer_clear(s->client->loop, &s->timer);
    else
        set_timer(s, delay);
}

static void on_link_end(struct carrier *c, const char *why)
{
    struct session *s = container_of(c, struct session, carrier);

    registrations_stop(s);
    if (loop_now(s->client->loop) - s->up_us >= s->client->config->time.healthy_us)
        s->backoff_us = 0;
    retry(s, why);
}

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct carrier *c = container_of(l, struct carrier, link);

    target_open(container_of(c, struct session, carrier), id, request);
}

static void link_up(struct session *s, struct slice behind)
{
    const struct config_time *time = &s->client->config->time;
    struct carrier_start start = {
        .loop = s->client->loop,
        .fd = stream_release(&s->stream),
        .early = behind,
        .opt = {.server = false,
                .name = s->name,
                .max_channels = CLIENT_CHANNELS_MAX,
                .ping_us = time->ping_us,
                .dead_us = time->dead_us,
                .probe_us = time->probe_us,
                .probe_answer_us = time->probe_answer_us,
                .stall_us = time->stall_us},
        .connect = on_connect,
        .on_end = on_link_end,
    };

    timer_clear(s->client->loop, &s->timer);
    if (carrier_start(&s->carrier, &start) != WSP_OK) {
        retry(s, "out of resources");
        return;
    }
    head_reader_fini(&s->reader);
    s->state = SESSION_UP;
    s->up_us = loop_now(s->client->loop);
    log_info(log_of(s), "%s: up, to %s", s->name, s->config->server);
    registrations_start(s);
}

static void on_answer(struct session *s, const struct http1_head *head, size_t head_len)
{
    enum handshake_dialect dialect;
    char error[128];
    struct slice behind = buf_slice(&s->reader.in);

    if (handshake_response_check(head, s->key, false, &dialect, error, sizeof(error)) != WSP_OK) {
        if (head->status == 401)
            snprintf(error, sizeof(error),
                     "the server refuses our \"auth\" (HTTP status 401): set it to the server's");
        retry(s, error);
        return;
    }
    slice_advance(&behind, head_len);
    link_up(s, behind);
}

static void on_stream(struct stream *stream)
{
    struct session *s = container_of(stream, struct session, stream);
    struct http1_head head;
    size_t head_len;

    switch (head_reader_response(&s->reader, stream, &head, &head_len)) {
    case WSP_OK:
        on_answer(s, &head, head_len);
        break;
    case WSP_ERR_MORE:
        break;
    case WSP_ERR_REFUSED:
        retry(s, "the server closed the connection during the handshake");
        break;
    case WSP_ERR_SYSTEM:
        retry(s, "the connection broke during the handshake");
        break;
    default:
        retry(s, "the server's answer is not valid HTTP");
    }
}

static bool send_request(struct session *s)
{
    char out[8192];
    uint8_t random[16];
    size_t len;
    struct iovec iov = {out, 0};
    struct handshake_request r = {
        .target = slice_str(s->config->target),
        .host = slice_str(s->config->authority),
        .auth = slice_str(s->config->auth ? s->config->auth : ""),
        .key = s->key,
    };

    loop_random(random, sizeof(random));
    ws_key_write(random, s->key);
    if (handshake_request_write(&r, out, sizeof(out), &len) != WSP_OK)
        return false;
    iov.iov_len = len;
    return stream_send(&s->stream, &iov, 1) == (ssize_t)len;
}

static void on_dialled(struct dial *d, enum dial_status status, int fd, const char *text)
{
    struct session *s = container_of(d, struct session, dial);

    if (status != DIAL_OK) {
        retry(s, text);
        return;
    }
    s->state = SESSION_UPGRADING;
    if (stream_init(&s->stream, s->client->loop, fd, on_stream) != WSP_OK || !send_request(s)) {
        retry(s, "the request cannot be sent");
        return;
    }
    set_timer(s, s->client->config->time.handshake_us);
}

static void connect_now(struct session *s)
{
    struct dial_options options = {
        .host = s->config->host,
        .port = s->config->port,
        .timeout_us = s->client->config->time.dial_us,
    };

    log_debug(log_of(s), "%s: connecting to %s", s->name, s->config->server);
    s->state = SESSION_DIALING;
    if (dial_start(s->client->loop, s->client->resolver, &s->dial, &options) != WSP_OK)
        retry(s, "out of resources");
}

static void on_timer(struct timer *t)
{
    struct session *s = container_of(t, struct session, timer);

    if (s->state == SESSION_WAITING)
        connect_now(s);
    else
        retry(s, "no answer to the handshake in time");
}

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

struct session *session_new(struct client *c, size_t index, char error[CONFIG_ERROR_MAX],
                            enum wsp_err *err)
{
    struct session *s = calloc(1, sizeof(*s));

    *err = WSP_ERR_NOMEM;
    if (!s)
        return NULL;
    s->client = c;
    s->config = &c->config->client[index];
    s->dial.on_done = on_dialled;
    s->stream.loop = c->loop;
    s->stream.watch.fd = -1;
    s->timer.fire = on_timer;
    list_init(&s->users);
    snprintf(s->name, sizeof(s->name), "link %zu", index + 1);
    outbound_owner_init(&s->targets, c->loop, c->resolver, c->config->time.dial_us);
    s->targets.on_ended = on_target_ended;
    outbound_owner_init(&s->exits, c->loop, c->resolver, c->config->time.dial_us);
    s->exits.on_ended = on_exit_ended;
    s->exits.allowed = exit_allowed;
    *err = registrations_init(s);
    if (*err == WSP_OK)
        *err = proxy_listeners_start(s, error);
    if (*err == WSP_OK)
        *err = timer_set(c->loop, &s->timer, loop_now(c->loop));
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
    if (s->state == SESSION_WAITING)
        timer_clear(s->client->loop, &s->timer);
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
    if (s->state == SESSION_UP)
        carrier_fini(&s->carrier);
    outbound_owner_fini(&s->targets);
    outbound_owner_fini(&s->exits);
    dial_cancel(&s->dial);
    stream_close(&s->stream);
    head_reader_fini(&s->reader);
    timer_clear(s->client->loop, &s->timer);
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
    char url[FORWARD_URL_MAX];
    size_t len;

    if (p->session->state != SESSION_UP)
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
    return link_open(&p->session->carrier.link, ch, &request);
}
