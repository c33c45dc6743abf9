#include "server/ws_wrap.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/failure.h"
#include "proto/handshake.h"

enum {
    PONGS_MAX = 128 * 1024, /* bytes queued, a frame and pongs, before input has to wait */
    FLUSH_US = 60000000,    /* for a visitor that takes nothing of the last bytes */
    ORIGINS_MAX = 4096,     /* bytes of the longest list of origins */
};

static struct wsp_loop *loop_of(const struct ws_wrap *w)
{
    return w->server->loop;
}

static struct ws_wrap *wrap_of_chan(struct chan *ch)
{
    return container_of(ch, struct ws_wrap, chan);
}

/* All but the place in the listener. Accepts NULL. */
static void discard(struct ws_wrap *w)
{
    if (!w)
        return;
    chan_abort(&w->chan);
    list_remove(&w->user.node);
    list_remove(&w->node);
    ws_visitor_drop(&w->visitor);
    buf_fini(&w->early);
    free(w);
}

void ws_wrap_free(struct ws_wrap *w)
{
    struct server *s = w->server;

    if (w->visitor.state == WS_VISITOR_OPEN)
        ws_visitor_close(&w->visitor, WS_CLOSE_GOING_AWAY);
    discard(w);
    listener_release(&s->listener);
    server_use_ended(s);
}

/* Frees it once stream and channel have ended: true then. */
static bool reap(struct ws_wrap *w)
{
    if (stream_is_open(&w->visitor.stream) || chan_live(&w->chan))
        return false;
    ws_wrap_free(w);
    return true;
}

/* The service's connection ends too, unless its proper end is on its way already. */
static void visitor_gone(struct ws_wrap *w)
{
    if (w->chan.state != CHAN_DRAINING)
        chan_abort(&w->chan);
    reap(w);
}

/* The answer to a request whose service cannot be reached. */
static void refuse_visitor(struct ws_wrap *w, enum failure why)
{
    struct handshake_verdict v = {.status = failure_http_status(why), .extra = ""};
    char out[1024];
    size_t len;

    list_remove(&w->user.node);
    snprintf(v.body, sizeof(v.body), "%s\n", failure_text(why));
    if (handshake_refusal_write(&v, out, sizeof(out), &len) == WSP_OK)
        ws_visitor_end(&w->visitor, slice_of(out, len));
    else
        ws_visitor_drop(&w->visitor);
}

static size_t on_deliver_iov(struct chan *ch, const struct iovec *iov, int count)
{
    struct ws_wrap *w = wrap_of_chan(ch);
    size_t taken = 0;

    if (w->visitor.state != WS_VISITOR_OPEN) { /* behind a close frame nothing may follow */
        for (int i = 0; i < count; i++)
            taken += iov[i].iov_len;
        return taken;
    }
    if (ws_visitor_data(&w->visitor, iov, count, &taken))
        return taken;
    visitor_gone(w);
    return 0;
}

static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct iovec iov = {data, len};

    return on_deliver_iov(ch, &iov, 1);
}

/* What the channel holds, as far as the visitor takes it. False when it is gone. */
static bool give_held(struct ws_wrap *w)
{
    size_t taken;

    do {
        struct iovec iov[WS_VISITOR_PIECES];
        int count = chan_held(&w->chan, iov, WS_VISITOR_PIECES);

        if (!ws_visitor_data(&w->visitor, iov, count, &taken))
            return false;
        chan_took(&w->chan, taken);
    } while (taken);
    return true;
}

static ssize_t receive(struct ws_wrap *w, uint8_t *out, size_t cap)
{
    struct stream *s = &w->visitor.stream;
    size_t n = w->early.len < cap ? w->early.len : cap;

    if (n == 0)
        return s->readable ? stream_recv(s, out, cap) : (ssize_t)STREAM_AGAIN;
    memcpy(out, buf_slice(&w->early).p, n);
    buf_consume(&w->early, n);
    if (w->early.len == 0)
        buf_fini(&w->early);
    return (ssize_t)n;
}

static enum chan_then fail(struct ws_wrap *w)
{
    struct server *s = w->server;

    if (log_limit_ok(&s->noise, loop_now(s->loop)))
        log_info(loop_log(s->loop), "%s chan %.*s: visitor closed with %u: %s", w->chan.link->name,
                 SLICE_FMT(w->chan.node.key), w->in.code, w->in.fault);
    ws_visitor_close(&w->visitor, w->in.code);
    return CHAN_THEN_RESET;
}

/* What an event of the visitor's stream means for the channel; MORE: nothing. */
static enum chan_then on_ws_event(struct ws_wrap *w, enum ws_event event)
{
    struct slice payload = slice_of(w->in.control, w->in.control_len);

    switch (event) {
    case WS_EVENT_PING:
        if (!ws_visitor_control(&w->visitor, WS_PONG, payload))
            return CHAN_THEN_RESET;
        break;
    case WS_EVENT_CLOSE:
        ws_visitor_close(&w->visitor, w->in.code);
        return CHAN_THEN_CLOSE;
    case WS_EVENT_BAD:
        return fail(w);
    case WS_EVENT_PONG:
    case WS_EVENT_NONE:
        break;
    }
    return CHAN_THEN_MORE;
}

/* Frames were received at `out`: leaves their payload there. */
static struct chan_pull unwrap(struct ws_wrap *w, uint8_t *out, size_t len)
{
    struct slice in = slice_of(out, len);
    struct chan_pull p = {0, CHAN_THEN_MORE};
    enum ws_event event;

    do {
        size_t made;

        event = ws_stream_next(&w->in, &in, out + p.len, &made);
        p.len += made;
        p.then = on_ws_event(w, event);
    } while (event != WS_EVENT_NONE && p.then == CHAN_THEN_MORE);
    if (p.then == CHAN_THEN_MORE && w->early.len == 0 && !w->visitor.stream.readable)
        p.then = CHAN_THEN_IDLE;
    return p;
}

/* Frees nothing: the link is not done with the channel. */
static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct ws_wrap *w = wrap_of_chan(ch);
    bool whole = ws_stream_between_messages(&w->in);
    ssize_t n;

    if (w->visitor.state != WS_VISITOR_OPEN || w->visitor.out.bytes >= PONGS_MAX)
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    n = receive(w, out, cap);
    if (n == STREAM_AGAIN)
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    if (n > 0) {
        w->heard_us = loop_now(loop_of(w));
        w->pings = 0;
        return unwrap(w, out, (size_t)n);
    }
    ws_visitor_drop(&w->visitor);
    return (struct chan_pull){0, n == STREAM_EOF && whole ? CHAN_THEN_CLOSE : CHAN_THEN_RESET};
}

static void on_opened(struct chan *ch, struct slice bound)
{
    struct ws_wrap *w = wrap_of_chan(ch);
    char answer[WS_UPGRADE_ANSWER_MAX];
    size_t len = ws_upgrade_write(&w->upgrade, answer);

    (void)bound;
    w->visitor.state = WS_VISITOR_OPEN;
    w->heard_us = loop_now(loop_of(w));
    timer_set(loop_of(w), &w->visitor.timer, w->heard_us + w->server->config->time.ping_us);
    if (!ws_visitor_send(&w->visitor, slice_of(answer, len)))
        visitor_gone(w);
    else if (w->early.len || w->visitor.stream.readable)
        chan_ready(ch);
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct ws_wrap *w = wrap_of_chan(ch);

    list_remove(&w->user.node);
    if (w->visitor.state == WS_VISITOR_WAITING)
        refuse_visitor(w, end == CHAN_END_FAILED ? failure_of_text(text) : FAILURE_NO_LINK);
    else if (end == CHAN_END_STALLED)
        ws_visitor_drop(&w->visitor);
    else if (end == CHAN_END_LINK_LOST)
        ws_visitor_close(&w->visitor, WS_CLOSE_GOING_AWAY);
    else
        ws_visitor_close(&w->visitor, end == CHAN_END_PEER ? WS_CLOSE_NORMAL : WS_CLOSE_INTERNAL);
    reap(w);
}

static const struct chan_ops ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .deliver_iov = on_deliver_iov,
    .pull = on_pull,
};

/* The registration has ended. */
static void on_service_end(struct service_user *u, bool gently)
{
    struct ws_wrap *w = container_of(u, struct ws_wrap, user);

    list_remove(&u->node);
    if (gently)
        return;
    chan_abort(&w->chan);
    if (w->visitor.state == WS_VISITOR_WAITING)
        refuse_visitor(w, FAILURE_NO_LINK);
    else
        ws_visitor_close(&w->visitor, WS_CLOSE_GOING_AWAY);
    reap(w);
}

static void on_event(struct stream *s)
{
    struct ws_wrap *w = container_of(s, struct ws_wrap, visitor.stream);

    if (s->broken || (s->hangup && w->visitor.state == WS_VISITOR_WAITING))
        ws_visitor_drop(&w->visitor);
    if (!stream_is_open(s) || !ws_visitor_flush(&w->visitor)) {
        visitor_gone(w);
        return;
    }
    if (reap(w))
        return;
    if (w->visitor.state == WS_VISITOR_OPEN && s->readable)
        chan_ready(&w->chan);
    if (w->visitor.state != WS_VISITOR_OPEN)
        chan_resume(&w->chan);
    else if (give_held(w))
        chan_settle(&w->chan);
    else
        visitor_gone(w);
}

/* The service has ended, and the visitor takes nothing of what it sent. */
static bool flush_stands(struct ws_wrap *w, uint64_t now)
{
    if (w->chan.state != CHAN_FLUSHING)
        return false;
    if (w->chan.held.bytes != w->flush_bytes) {
        w->flush_bytes = w->chan.held.bytes;
        w->flush_us = now;
    }
    return now - w->flush_us >= FLUSH_US;
}

/* Pings a silent visitor, so that what stands between us keeps the connection, and drops one that
 * does not answer. Silence does not count while it is us who do not listen, or it does not read. */
static void check_life(struct ws_wrap *w)
{
    struct ws_visitor *v = &w->visitor;
    uint64_t now = loop_now(loop_of(w));
    uint64_t ping_us = w->server->config->time.ping_us;
    uint64_t dead_us = ping_us * 18 / 5; /* 90 s where a ping is sent after 25 s */
    uint64_t next_us;

    if ((v->stream.readable && !v->stream.hangup) || v->out.bytes) {
        w->heard_us = now;
        w->pings = 0;
    }
    if (flush_stands(w, now)) {
        ws_visitor_drop(v);
    } else if (now - w->heard_us >= dead_us) {
        log_debug(loop_log(loop_of(w)), "chan %.*s: visitor dropped after %u s of silence",
                  SLICE_FMT(w->chan.node.key), (unsigned)(dead_us / 1000000));
        ws_visitor_drop(v);
    } else if (now - w->heard_us >= ping_us * (w->pings + 1)) {
        w->pings++;
        ws_visitor_control(v, WS_PING, slice_of(NULL, 0));
    }
    if (v->state != WS_VISITOR_OPEN) {
        visitor_gone(w);
        return;
    }
    next_us = ping_us * (w->pings + 1);
    timer_set(loop_of(w), &v->timer, w->heard_us + (next_us < dead_us ? next_us : dead_us));
}

static void on_timer(struct timer *t)
{
    struct ws_wrap *w = container_of(t, struct ws_wrap, visitor.timer);

    switch (w->visitor.state) {
    case WS_VISITOR_WAITING:
        chan_abort(&w->chan);
        refuse_visitor(w, FAILURE_TIMEOUT);
        reap(w);
        break;
    case WS_VISITOR_OPEN:
        check_life(w);
        break;
    case WS_VISITOR_CLOSING:
        ws_visitor_drop(&w->visitor);
        reap(w);
        break;
    }
}

/* False, and answered, when the request is none for a WebSocket to this service. */
static bool check(struct http_conn *c, const struct http1_head *head, const struct service *s,
                  struct ws_upgrade *u)
{
    char origins[ORIGINS_MAX];
    bool restricted = service_option(s, "origin", origins, sizeof(origins));

    ws_upgrade_check(head, restricted ? origins : NULL, u);
    if (u->status == 101 && !restricted && s->query.len >= sizeof(origins)) {
        u->status = 403; /* a list too long to be read must not let everybody in */
        u->text = "the list of origins is too long";
    }
    if (u->status != 101)
        http_conn_refuse(c, u->status, u->extra, u->text);
    return u->status == 101;
}

static struct ws_wrap *wrap_new(struct front *f, const struct ws_upgrade *u, struct slice behind)
{
    struct server *s = f->server;
    struct ws_wrap *w = calloc(1, sizeof(*w));

    if (!w || (behind.len && buf_append(&w->early, behind.p, behind.len) != WSP_OK)) {
        free(w);
        return NULL;
    }
    w->server = s;
    w->upgrade = *u;
    w->user.end = on_service_end;
    w->visitor.timer.fire = on_timer;
    w->visitor.stream.loop = s->loop;
    w->visitor.stream.watch.fd = -1;
    list_init(&w->node);
    list_init(&w->user.node);
    chan_init(&w->chan, &ops);
    w->chan.lead = slice_of(w->lead, front_proxy_header(f, f->service->proxy, w->lead));
    return w;
}

/* Opens the channel and takes the stream. WSP_OK, or the stream was not taken. */
static enum wsp_err start(struct ws_wrap *w, struct http_conn *c, struct service *s)
{
    struct wsp_loop *loop = loop_of(w);
    uint64_t due_us = loop_now(loop) + s->server->config->time.open_us;
    enum wsp_err err = service_open(s, &w->chan);

    if (err == WSP_OK)
        err = timer_set(loop, &w->visitor.timer, due_us);
    if (err == WSP_OK)
        err = http_conn_detach(c, &w->visitor.stream, on_event);
    return err;
}

bool ws_wrap_request(struct front *f, const struct http1_head *head, struct slice behind)
{
    struct service *s = f->service;
    struct ws_upgrade upgrade;
    struct ws_wrap *w;
    enum wsp_err err;

    if (!check(&f->conn, head, s, &upgrade))
        return false;
    w = wrap_new(f, &upgrade, behind);
    err = w ? start(w, &f->conn, s) : WSP_ERR_NOMEM;
    if (err == WSP_OK) {
        list_push(&s->server->wraps, &w->node);
        list_push(&s->users, &w->user.node);
        return true;
    }
    discard(w);
    http_conn_refuse(&f->conn, 503, "Retry-After: 5\r\n",
                     err == WSP_ERR_REFUSED ? failure_text(FAILURE_NO_LINK) : "out of resources");
    return false;
}
