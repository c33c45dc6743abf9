/* One request and its response: the request is pulled into the origin's channel as the client sends
 * it, the response is passed on as it comes. */
#include "client/http_in.h"

#include <errno.h>
#include <sys/socket.h>

#include "client/http_rewrite.h"

enum { OUT_MAX = 256 * 1024 }; /* of a response, kept for a slow client */

static struct http_in *in_of(struct chan *ch)
{
    return container_of(ch, struct http_in, origin);
}

static struct pool *pool_of(struct http_in *c)
{
    return loop_pool(c->stream.loop);
}

static bool request_done(const struct http_in *c)
{
    return c->request.framing == HTTP1_NO_BODY || c->request.done;
}

/* Sends bytes to the client, or queues them. False when the connection is gone. */
static bool pass(struct http_in *c, const uint8_t *data, size_t len)
{
    if (c->out.bytes == 0 && c->stream.writable && len) {
        struct iovec iov = {(void *)data, len};
        ssize_t n = stream_send(&c->stream, &iov, 1);

        if (n == STREAM_ERROR) {
            http_in_end(c, true);
            return false;
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    if (queue_append(&c->out, pool_of(c), slice_of(data, len)) != WSP_OK) {
        http_in_end(c, true);
        return false;
    }
    return true;
}

/* The response is complete: what now? */
static void response_done(struct http_in *c)
{
    bool all_sent = request_done(c);

    buf_fini(&c->request_head);
    if (!c->origin_keep_alive || !all_sent)
        chan_abort(&c->origin);
    if (c->keep_alive && all_sent)
        http_in_next(c);
    else
        http_in_finish(c);
}

/* Passes a head on. False when the exchange has ended, and perhaps the connection. */
static bool on_response_head(struct http_in *c, const struct http1_head *head)
{
    struct slice method = slice_str(c->head_method ? "HEAD" : "GET");
    struct buf out;
    bool interim = head->status < 200;
    bool sent;

    if (head->status == 101 || http1_response_body(head, method, &c->response) != WSP_OK) {
        chan_abort(&c->origin);
        http_in_refuse(c, 502, "the origin's answer is not valid HTTP");
        return false;
    }
    if (interim && c->is_1_0)
        return true;
    if (!interim) {
        c->origin_keep_alive = http1_keep_alive(head);
        if (c->response.framing == HTTP1_UNTIL_CLOSE)
            c->keep_alive = c->origin_keep_alive = false;
    }
    buf_init(&out);
    if (http_rewrite_response(head, !interim && !c->keep_alive, &out) != WSP_OK) {
        buf_fini(&out);
        http_in_end(c, true);
        return false;
    }
    sent = pass(c, out.mem, out.len);
    buf_fini(&out);
    if (!sent)
        return false;
    c->in_body = !interim;
    return true;
}

/* Collects a head from `in`; *used tells how much of it was the head's. WSP_OK: a head was passed
 * on. WSP_ERR_MORE: all was taken. WSP_ERR_REFUSED: the exchange has ended. */
static enum wsp_err take_head(struct http_in *c, struct slice in, size_t *used)
{
    size_t before = c->response_head.len;
    size_t n = in.len < HTTP1_HEAD_MAX ? in.len : HTTP1_HEAD_MAX;
    struct http1_head head;
    struct slice rest;
    enum wsp_err err;

    if (buf_append(&c->response_head, in.p, n) != WSP_OK) {
        http_in_end(c, true);
        return WSP_ERR_REFUSED;
    }
    rest = buf_slice(&c->response_head);
    err = http1_response_parse(&rest, &head);
    if (err == WSP_ERR_MORE) {
        *used = n;
        return WSP_ERR_MORE;
    }
    if (err != WSP_OK) {
        chan_abort(&c->origin);
        http_in_refuse(c, 502, "the origin's answer is not valid HTTP");
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
static enum wsp_err take_body(struct http_in *c, struct slice in, size_t *used)
{
    size_t room = c->out.bytes < OUT_MAX ? OUT_MAX - c->out.bytes : 0;
    enum wsp_err err;

    if (c->response.framing == HTTP1_NO_BODY || c->response.done)
        return WSP_OK;
    if (in.len > room)
        in.len = room;
    err = http1_body_scan(&c->response, in, used);
    if (err == WSP_ERR_MALFORMED) {
        http_in_end(c, true);
        return WSP_ERR_REFUSED;
    }
    if (!pass(c, in.p, *used))
        return WSP_ERR_REFUSED;
    return err;
}

/* WSP_OK: the response is complete. WSP_ERR_MORE: it goes on. WSP_ERR_REFUSED: `c` is gone or has
 * ended the exchange. `in` advances past what was taken. */
static enum wsp_err take_response(struct http_in *c, struct slice *in)
{
    size_t used;
    enum wsp_err err;

    while (!c->in_body) {
        if (in->len == 0)
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

static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct http_in *c = in_of(ch);
    struct slice in = slice_of(data, len);
    enum wsp_err err;

    if (c->state != HTTP_IN_EXCHANGE) {
        chan_abort(ch); /* bytes that answer nothing: never to be taken for the next response */
        return len;
    }
    c->answered = true;
    err = take_response(c, &in);
    if (err == WSP_ERR_MORE)
        return len - in.len;
    if (err == WSP_OK) {
        if (in.len)
            chan_abort(ch);
        response_done(c);
    }
    return len;
}

static struct chan_pull pull_head(struct http_in *c, uint8_t *out, size_t cap)
{
    size_t left = c->request_head.len - c->head_sent;
    size_t n = left < cap ? left : cap;

    memcpy(out, c->request_head.mem + c->request_head.off + c->head_sent, n);
    c->head_sent += n;
    return (struct chan_pull){n, CHAN_THEN_MORE};
}

/* From what was read beyond the head. */
static struct chan_pull pull_read(struct http_in *c, uint8_t *out, size_t cap)
{
    struct slice in = buf_slice(&c->reader.in);
    size_t used;

    if (in.len > cap)
        in.len = cap;
    if (http1_body_scan(&c->request, in, &used) == WSP_ERR_MALFORMED)
        return (struct chan_pull){0, CHAN_THEN_RESET};
    memcpy(out, in.p, used);
    buf_consume(&c->reader.in, used);
    c->reader.scanned = 0;
    return (struct chan_pull){used, CHAN_THEN_MORE};
}

/* Straight from the client's stream; what follows the body is kept for the next head. */
static struct chan_pull pull_stream(struct http_in *c, uint8_t *out, size_t cap)
{
    ssize_t n = stream_recv(&c->stream, out, cap);
    size_t used;

    if (n == STREAM_AGAIN)
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    if (n <= 0 ||
        http1_body_scan(&c->request, slice_of(out, (size_t)n), &used) == WSP_ERR_MALFORMED ||
        buf_append(&c->reader.in, out + used, (size_t)n - used) != WSP_OK)
        return (struct chan_pull){0, CHAN_THEN_RESET};
    return (struct chan_pull){used, c->stream.readable ? CHAN_THEN_MORE : CHAN_THEN_IDLE};
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct http_in *c = in_of(ch);

    if (c->state != HTTP_IN_EXCHANGE)
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    if (c->head_sent < c->request_head.len)
        return pull_head(c, out, cap);
    if (request_done(c))
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    if (c->reader.in.len)
        return pull_read(c, out, cap);
    if (c->stream.readable)
        return pull_stream(c, out, cap);
    return (struct chan_pull){0, CHAN_THEN_IDLE};
}

static void on_opened(struct chan *ch, struct slice bound)
{
    struct http_in *c = in_of(ch);

    (void)bound;
    timer_clear(c->stream.loop, &c->timer);
    c->state = HTTP_IN_EXCHANGE;
    chan_ready(ch);
}

static void open_origin(struct http_in *c);

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct http_in *c = in_of(ch);
    enum failure f = failure_of_text(text);

    if (c->state == HTTP_IN_OPENING) {
        if (end != CHAN_END_FAILED)
            f = FAILURE_NO_LINK;
        http_in_refuse(c, failure_http_status(f), failure_text(f));
    } else if (c->state != HTTP_IN_EXCHANGE) {
        return; /* an idle one: the next request opens another */
    } else if (!c->answered && end == CHAN_END_PEER && c->origin_reused && c->retryable) {
        open_origin(c);
    } else if (!c->answered && end == CHAN_END_PEER) {
        http_in_refuse(c, 502, "the origin closed the connection without an answer");
    } else if (c->in_body && c->response.framing == HTTP1_UNTIL_CLOSE && end == CHAN_END_PEER) {
        http_in_finish(c);
    } else {
        http_in_end(c, true); /* cut short: the client must see that */
    }
}

static const struct chan_ops origin_ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .pull = on_pull,
};

static void open_origin(struct http_in *c)
{
    struct session *s = c->listener->session;
    enum wsp_err err;

    c->origin_reused = false;
    c->head_sent = 0;
    chan_init(&c->origin, &origin_ops);
    err = session_open(s, &c->origin, "http", slice_str(c->origin_host), c->origin_port);
    if (err != WSP_OK) {
        enum failure f = err == WSP_ERR_REFUSED ? FAILURE_NO_LINK : FAILURE_GENERAL;

        http_in_refuse(c, failure_http_status(f), failure_text(f));
        return;
    }
    c->state = HTTP_IN_OPENING;
    http_in_timer(c, s->client->config->time.open_us);
}

void http_exchange_begin(struct http_in *c, struct slice host, unsigned port)
{
    bool same = port == c->origin_port && slice_eq_nocase(host, slice_str(c->origin_host));

    c->answered = c->in_body = false;
    c->head_sent = 0;
    c->response_head.off = c->response_head.len = 0;
    if (same && c->retryable && c->origin.state == CHAN_OPEN) {
        c->origin_reused = true;
        c->state = HTTP_IN_EXCHANGE;
        timer_clear(c->stream.loop, &c->timer);
        chan_ready(&c->origin);
        return;
    }
    chan_abort(&c->origin);
    memcpy(c->origin_host, host.p, host.len);
    c->origin_host[host.len] = '\0';
    c->origin_port = port;
    open_origin(c);
}

/* With its request complete, a client that ends its side has lost interest in the answer; unless
 * more requests were sent ahead. */
static bool client_left(struct http_in *c)
{
    char byte;
    ssize_t n;

    if (!c->stream.hangup || !request_done(c))
        return false;
    n = recv(c->stream.watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void http_exchange_event(struct http_in *c)
{
    if (client_left(c)) {
        http_in_end(c, false);
        return;
    }
    if (c->out.bytes < OUT_MAX / 2)
        chan_resume(&c->origin);
    if (c->stream.readable && !request_done(c))
        chan_ready(&c->origin);
}
