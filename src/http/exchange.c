/*
 * One request and its response: the request is pulled into the upstream's channel as the client
 * sends it, the response is passed on as it comes. After a 101 that was asked for, bytes of any
 * kind.
 */

#include "http/conn_parts.h"
#include "http/rewrite.h"

enum { INTERIMS_MAX = 100 }; /* 1xx responses to one request */

static struct http_conn *conn_of(struct upstream_user *user)
{
    return container_of(user, struct http_conn, user);
}

static struct pool *pool_of(struct http_conn *c)
{
    return loop_pool(c->stream.loop);
}

bool exchange_request_done(const struct http_conn *c)
{
    return c->request.framing == HTTP1_NO_BODY || c->request.done;
}

static void drop_upstream(struct http_conn *c)
{
    upstream_free(c->up);
    c->up = NULL;
}

/* Sends bytes to the client, or queues them. False when the connection is gone. */
static bool pass(struct http_conn *c, const uint8_t *data, size_t len)
{
    c->passed = true;
    if (c->out.bytes == 0 && c->stream.writable && len) {
        struct iovec iov = {(void *)data, len};
        ssize_t n = stream_send(&c->stream, &iov, 1);

        if (n == STREAM_ERROR) {
            conn_end(c, true);
            return false;
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    if (queue_append(&c->out, pool_of(c), slice_of(data, len)) != WSP_OK) {
        conn_end(c, true);
        return false;
    }
    return true;
}

/* The response is complete: what now? */
static void response_done(struct http_conn *c)
{
    bool all_sent = exchange_request_done(c) && c->head_sent == c->request_head.len;
    struct upstream *u = c->up;

    buf_fini(&c->request_head);
    buf_fini(&c->response_head);
    c->up = NULL;
    if (u && c->up_keep_alive && all_sent)
        c->ops->spare(c, u);
    else
        upstream_free(u);
    if (c->keep_alive && all_sent)
        conn_next(c);
    else
        conn_finish(c);
}

static void bad_response(struct http_conn *c)
{
    drop_upstream(c);
    http_conn_refuse(c, 502, "", "the answer of the service is not valid HTTP");
}

/* What the head says of the exchange. False when it must not be passed on. */
static bool judge_head(struct http_conn *c, const struct http1_head *head)
{
    struct slice method = slice_str(c->head_method ? "HEAD" : "GET");

    if (!http1_connection_ok(head))
        return false;
    if (c->last)
        c->keep_alive = false;
    if (http1_response_body(head, method, &c->response) != WSP_OK)
        return false;
    if (head->status == 101) {
        c->keep_alive = c->up_keep_alive = false;
        return c->upgrade_asked;
    }
    if (head->status < 200)
        return true;
    c->up_keep_alive = http1_keep_alive(head);
    if (c->response.framing == HTTP1_UNTIL_CLOSE)
        c->keep_alive = c->up_keep_alive = false;
    return true;
}

/* Passes a head on. False when the exchange has ended, and perhaps the connection. */
static bool on_response_head(struct http_conn *c, const struct http1_head *head)
{
    bool upgrade = head->status == 101;
    bool interim = head->status < 200 && !upgrade;
    struct buf out;
    bool sent;

    if (!judge_head(c, head)) {
        bad_response(c);
        return false;
    }
    if (interim && ++c->interims > INTERIMS_MAX) {
        bad_response(c);
        return false;
    }
    if (interim && c->is_1_0)
        return true;
    buf_init(&out);
    if (http_rewrite_response(head, !interim && !upgrade && !c->keep_alive, &out) != WSP_OK) {
        buf_fini(&out);
        conn_end(c, true);
        return false;
    }
    sent = pass(c, out.mem, out.len);
    buf_fini(&out);
    if (!sent)
        return false;
    c->in_body = !interim;
    if (upgrade) {
        c->state = HTTP_CONN_UPGRADED;
        chan_ready(upstream_chan(c->up));
    }
    return true;
}

/* Collects a head from `in`; *used tells how much of it was the head's. WSP_OK: a head was passed
 * on. WSP_ERR_MORE: all was taken. WSP_ERR_REFUSED: the exchange has ended. */
static enum wsp_err take_head(struct http_conn *c, struct slice in, size_t *used)
{
    size_t before = c->response_head.len;
    size_t n = in.len < HTTP1_HEAD_MAX ? in.len : HTTP1_HEAD_MAX;
    struct http1_head head;
    struct slice rest;
    enum wsp_err err;

    if (buf_append(&c->response_head, in.p, n) != WSP_OK) {
        conn_end(c, true);
        return WSP_ERR_REFUSED;
    }
    if (c->response_head.len < HTTP1_HEAD_MAX && !memchr(in.p, '\n', n)) {
        *used = n; /* no line is complete: one that trickles in is not parsed for each byte */
        return WSP_ERR_MORE;
    }
    rest = buf_slice(&c->response_head);
    err = http1_response_parse(&rest, &head);
    if (err == WSP_ERR_MORE) {
        *used = n;
        return WSP_ERR_MORE;
    }
    if (err != WSP_OK) {
        bad_response(c);
        return WSP_ERR_REFUSED;
    }
    *used = c->response_head.len - rest.len - before;
    if (!on_response_head(c, &head))
        return WSP_ERR_REFUSED;
    c->response_head.off = c->response_head.len = 0;
    return WSP_OK;
}

/* Passes on what belongs to the body, as far as the client's queue has room. Results as above, with
 * WSP_OK when the body is complete. */
static enum wsp_err take_body(struct http_conn *c, struct slice in, size_t *used)
{
    size_t room = c->out.bytes < HTTP_CONN_OUT_MAX ? HTTP_CONN_OUT_MAX - c->out.bytes : 0;
    enum wsp_err err;

    if (in.len > room)
        in.len = room;
    if (c->state == HTTP_CONN_UPGRADED) {
        *used = in.len;
        return pass(c, in.p, in.len) ? WSP_ERR_MORE : WSP_ERR_REFUSED;
    }
    if (c->response.framing == HTTP1_NO_BODY || c->response.done)
        return WSP_OK;
    err = http1_body_scan(&c->response, in, used);
    if (err == WSP_ERR_MALFORMED) {
        conn_end(c, true);
        return WSP_ERR_REFUSED;
    }
    if (!pass(c, in.p, *used))
        return WSP_ERR_REFUSED;
    return err;
}

/* WSP_OK: the response is complete. WSP_ERR_MORE: it goes on. WSP_ERR_REFUSED: `c` is gone or has
 * ended the exchange. `in` advances past what was taken. */
static enum wsp_err take_response(struct http_conn *c, struct slice *in)
{
    size_t used;
    enum wsp_err err;

    while (!c->in_body) {
        if (in->len == 0 || c->out.bytes >= HTTP_CONN_OUT_MAX)
            return WSP_ERR_MORE;
        used = 0;
        err = take_head(c, *in, &used);
        slice_advance(in, used);
        if (err != WSP_OK)
            return err;
    }
    used = 0;
    err = take_body(c, *in, &used);
    slice_advance(in, used);
    return err;
}

static void use_upstream(struct http_conn *c, enum upstream_choice choice);

static size_t on_deliver(struct upstream_user *user, uint8_t *data, size_t len)
{
    struct http_conn *c = conn_of(user);
    struct slice in = slice_of(data, len);
    enum wsp_err err;

    if (c->head_sent == 0) { /* it answers what was never asked: not this request's, and no good */
        bool reused = c->up->reused;

        drop_upstream(c);
        if (reused)
            use_upstream(c, UPSTREAM_NEW);
        else
            http_conn_refuse(c, 502, "", "the service speaks first: it is no HTTP service");
        return len;
    }
    c->answered = true;
    err = take_response(c, &in);
    if (err == WSP_ERR_MORE)
        return len - in.len;
    if (err == WSP_OK) {
        if (in.len) /* bytes that answer nothing: never to be taken for the next response */
            c->up_keep_alive = false;
        response_done(c);
    }
    return len;
}

static struct chan_pull pull_head(struct http_conn *c, uint8_t *out, size_t cap)
{
    size_t left = c->request_head.len - c->head_sent;
    size_t n = left < cap ? left : cap;

    memcpy(out, c->request_head.mem + c->request_head.off + c->head_sent, n);
    c->head_sent += n;
    return (struct chan_pull){n, CHAN_THEN_MORE};
}

/* From what was read beyond the head. */
static struct chan_pull pull_read(struct http_conn *c, uint8_t *out, size_t cap)
{
    struct slice in = buf_slice(&c->reader.in);
    size_t used;

    if (in.len > cap)
        in.len = cap;
    if (http1_body_scan(&c->request, in, &used) == WSP_ERR_MALFORMED) {
        c->request_broken = true;
        return (struct chan_pull){0, CHAN_THEN_RESET};
    }
    memcpy(out, in.p, used);
    buf_consume(&c->reader.in, used);
    c->reader.scanned = 0;
    if (exchange_request_done(c))
        timer_clear(c->stream.loop, &c->timer);
    return (struct chan_pull){used, CHAN_THEN_MORE};
}

/* Straight from the client's stream; what follows the body is kept for the next head. */
static struct chan_pull pull_stream(struct http_conn *c, uint8_t *out, size_t cap)
{
    ssize_t n = stream_recv(&c->stream, out, cap);
    size_t used;

    if (n == STREAM_AGAIN)
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    c->request_broken =
        n > 0 && http1_body_scan(&c->request, slice_of(out, (size_t)n), &used) == WSP_ERR_MALFORMED;
    if (n <= 0 || c->request_broken ||
        buf_append(&c->reader.in, out + used, (size_t)n - used) != WSP_OK)
        return (struct chan_pull){0, CHAN_THEN_RESET};
    conn_timer(c, HTTP_CONN_BODY_US);
    if (exchange_request_done(c))
        timer_clear(c->stream.loop, &c->timer);
    return (struct chan_pull){used, c->stream.readable ? CHAN_THEN_MORE : CHAN_THEN_IDLE};
}

static struct chan_pull on_pull(struct upstream_user *user, uint8_t *out, size_t cap)
{
    struct http_conn *c = conn_of(user);

    if (c->state == HTTP_CONN_OPENING)
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    if (c->head_sent < c->request_head.len)
        return pull_head(c, out, cap);
    if (c->state == HTTP_CONN_UPGRADED)
        return upgraded_pull(c, out, cap);
    if (exchange_request_done(c))
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    if (c->reader.in.len)
        return pull_read(c, out, cap);
    if (c->stream.readable)
        return pull_stream(c, out, cap);
    return (struct chan_pull){0, CHAN_THEN_IDLE};
}

/* With its request complete, a client that ends its side has lost interest in the answer; unless
 * more requests were sent ahead. */
static bool client_left(struct http_conn *c)
{
    ssize_t n;

    if (!c->stream.hangup || c->reader.in.len || !exchange_request_done(c) ||
        c->state == HTTP_CONN_UPGRADED)
        return false;
    n = stream_peek(&c->stream);
    return n == STREAM_EOF || n == STREAM_ERROR;
}

static void begin(struct http_conn *c)
{
    if (client_left(c)) {
        conn_end(c, false);
        return;
    }
    timer_clear(c->stream.loop, &c->timer);
    if (!exchange_request_done(c))
        conn_timer(c, HTTP_CONN_BODY_US);
    c->state = HTTP_CONN_EXCHANGE;
    chan_ready(upstream_chan(c->up));
}

static void on_opened(struct upstream_user *user)
{
    begin(conn_of(user));
}

static void use_upstream(struct http_conn *c, enum upstream_choice choice)
{
    enum failure why = FAILURE_GENERAL;

    c->head_sent = 0;
    c->up = c->ops->upstream(c, choice, &why);
    if (!c->up) {
        http_conn_refuse(c, failure_http_status(why), "", failure_text(why));
        return;
    }
    c->state = HTTP_CONN_OPENING;
    conn_timer(c, c->open_us);
    if (upstream_is_open(c->up))
        begin(c);
}

static void on_closed(struct upstream_user *user, enum chan_end end, struct slice text)
{
    struct http_conn *c = conn_of(user);
    bool reused = c->up->reused;
    bool proper = end == CHAN_END_PEER;
    bool died = proper || end == CHAN_END_PEER_RESET ||
                end == CHAN_END_FAILED; /* with TLS, the latter without close_notify */

    c->up = NULL;
    if (c->state == HTTP_CONN_OPENING) {
        enum failure f = end == CHAN_END_FAILED ? failure_of_text(text) : FAILURE_NO_LINK;

        if (c->ops->on_failed && end == CHAN_END_FAILED)
            c->ops->on_failed(c, text);
        http_conn_refuse(c, failure_http_status(f), "", failure_text(f));
    } else if (!c->answered && died && reused && c->retryable) {
        use_upstream(c, UPSTREAM_NEW);
    } else if (!c->passed && c->request_broken) {
        http_conn_refuse(c, 400, "", "bad message framing");
    } else if (!c->passed) {
        http_conn_refuse(c, 502, "", "the service closed the connection without an answer");
    } else if (c->state == HTTP_CONN_UPGRADED && (proper || end == CHAN_END_SENT)) {
        conn_finish(c);
    } else if (c->in_body && c->response.framing == HTTP1_UNTIL_CLOSE && proper) {
        conn_finish(c);
    } else {
        conn_end(c, true); /* cut short: the client must see that */
    }
}

static bool on_finished(struct upstream_user *user)
{
    return upgraded_finished(conn_of(user));
}

const struct upstream_user exchange_user = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .pull = on_pull,
    .finished = on_finished,
};

void http_conn_exchange(struct http_conn *c)
{
    c->far_finished = false;
    c->answered = c->passed = c->in_body = c->request_broken = false;
    c->interims = 0;
    c->response_head.off = c->response_head.len = 0;
    use_upstream(c, c->retryable ? UPSTREAM_ANY : UPSTREAM_RECENT);
}

void exchange_event(struct http_conn *c)
{
    if (client_left(c)) {
        conn_end(c, c->passed); /* who only sends no more must not take a part for the whole */
        return;
    }
    if (c->stream.readable && (c->state == HTTP_CONN_UPGRADED || !exchange_request_done(c)))
        chan_ready(upstream_chan(c->up));
    if (c->out.bytes < HTTP_CONN_OUT_MAX / 2)
        chan_resume(upstream_chan(c->up));
}
