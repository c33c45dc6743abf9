#include "http/conn.h"

#include <stdio.h>

#include "http/conn_parts.h"
#include "proto/handshake.h"

enum {
    CONN_LOWAT = 128 * 1024,  /* unsent in the kernel: progress is seen while the client is slow */
    KEEP_ALIVE_US = 75000000, /* between two requests */
    FLUSH_US = 60000000,      /* for a client that takes nothing of the last bytes */
};

static struct wsp_loop *loop_of(struct http_conn *c)
{
    return c->stream.loop;
}

void conn_timer(struct http_conn *c, uint64_t delay_us)
{
    if (timer_set(loop_of(c), &c->timer, loop_now(loop_of(c)) + delay_us) != WSP_OK)
        log_error(loop_log(loop_of(c)), "http: out of memory for a deadline");
}

/* All but the stream. */
static void release(struct http_conn *c)
{
    upstream_free(c->up);
    c->up = NULL;
    timer_clear(loop_of(c), &c->timer);
    task_cancel(&c->next);
    queue_clear(&c->out, loop_pool(loop_of(c)));
    head_reader_fini(&c->reader);
    buf_fini(&c->request_head);
    buf_fini(&c->response_head);
}

void http_conn_fini(struct http_conn *c)
{
    if (c->state == HTTP_CONN_HEAD)
        stream_close(&c->stream);
    else
        stream_reset(&c->stream);
    release(c);
}

void conn_end(struct http_conn *c, bool reset)
{
    if (reset)
        stream_reset(&c->stream);
    else
        stream_linger(&c->stream);
    release(c);
    c->ops->on_end(c);
}

bool conn_flush(struct http_conn *c)
{
    while (c->out.bytes && c->stream.writable) {
        struct iovec iov[4];
        ssize_t n = stream_send(&c->stream, iov, queue_iov(&c->out, iov, 4));

        if (n == STREAM_ERROR) {
            conn_end(c, true);
            return false;
        }
        if (n > 0) {
            queue_consume(&c->out, loop_pool(loop_of(c)), (size_t)n);
            if (c->state == HTTP_CONN_FLUSHING || c->state == HTTP_CONN_BETWEEN)
                conn_timer(c, FLUSH_US);
            if (c->far_finished && c->out.bytes == 0)
                stream_finish(&c->stream);
        }
    }
    if (c->state == HTTP_CONN_FLUSHING && c->out.bytes == 0 && !stream_holds(&c->stream)) {
        conn_end(c, false);
        return false;
    }
    return true;
}

void conn_finish(struct http_conn *c)
{
    upstream_free(c->up);
    c->up = NULL;
    c->state = HTTP_CONN_FLUSHING;
    conn_timer(c, FLUSH_US);
    conn_flush(c);
}

void http_conn_refuse(struct http_conn *c, unsigned status, const char *extra, const char *text)
{
    struct handshake_verdict v = {.status = status, .extra = extra};
    char out[1024];
    size_t len;
    bool ok;

    snprintf(v.body, sizeof(v.body), "%s\n", text);
    ok = handshake_refusal_write(&v, out, sizeof(out), &len) == WSP_OK;
    if (ok && c->head_method)
        len -= strlen(v.body);
    if (!ok || queue_append(&c->out, loop_pool(loop_of(c)), slice_of(out, len)) != WSP_OK) {
        conn_end(c, true);
        return;
    }
    conn_finish(c);
}

bool http_conn_keeps(const struct http_conn *c)
{
    return c->keep_alive && !c->last && exchange_request_done(c);
}

void http_conn_respond(struct http_conn *c, struct slice response)
{
    c->last = !http_conn_keeps(c);
    if (queue_append(&c->out, loop_pool(loop_of(c)), response) != WSP_OK)
        conn_end(c, true);
    else if (conn_flush(c))
        conn_next(c);
}

int http_conn_release(struct http_conn *c)
{
    timer_clear(loop_of(c), &c->timer);
    return stream_release(&c->stream);
}

enum wsp_err http_conn_detach(struct http_conn *c, struct stream *to,
                              void (*on_event)(struct stream *s))
{
    timer_clear(loop_of(c), &c->timer);
    return stream_move(to, &c->stream, on_event);
}

/* Notes what of the request matters for the exchange, and lets the owner decide. */
static void on_head(struct http_conn *c, const struct http1_head *head, size_t head_len)
{
    struct slice behind = buf_slice(&c->reader.in);

    c->head_method = slice_eq_str(head->method, "HEAD");
    c->is_1_0 = head->minor == 0;
    c->keep_alive =
        !c->is_1_0 && http1_keep_alive(head) && !http1_has_token(head, "Proxy-Connection", "close");
    c->upgrade_asked = false;
    c->request_head.off = c->request_head.len = 0;
    if (!http1_connection_ok(head) || http1_request_body(head, &c->request) != WSP_OK) {
        http_conn_refuse(c, 400, "", "bad message framing");
        return;
    }
    /* Idempotent and without a body (RFC 9110 section 9.2.2): may be sent twice. */
    c->retryable = exchange_request_done(c) &&
                   (slice_eq_str(head->method, "GET") || c->head_method ||
                    slice_eq_str(head->method, "OPTIONS") || slice_eq_str(head->method, "TRACE"));
    slice_advance(&behind, head_len);
    buf_consume(&c->reader.in, head_len); /* moves no bytes: `head` and `behind` stay */
    c->ops->on_request(c, head, behind);
}

/* Nothing can be read any more. One who speaks HTTP to a port that wants TLS is told. */
static void on_broken(struct http_conn *c)
{
    if (stream_met_http(&c->stream)) {
        http_conn_refuse(c, 400, "", "this port speaks HTTPS: use https:// or wss://");
        return;
    }
    if (c->ops->on_broken && !stream_is_ready(&c->stream) && !stream_is_mute(&c->stream))
        c->ops->on_broken(c, stream_why(&c->stream));
    conn_end(c, true);
}

static void read_head(struct http_conn *c)
{
    struct http1_head head;
    size_t head_len;
    bool idle = c->reader.in.len == 0;

    switch (head_reader_request(&c->reader, &c->stream, &head, &head_len)) {
    case WSP_OK:
        on_head(c, &head, head_len);
        break;
    case WSP_ERR_MORE:
        if (idle && c->reader.in.len)
            conn_timer(c, c->head_us);
        break;
    case WSP_ERR_MALFORMED:
        http_conn_refuse(c, 400, "", "bad request");
        break;
    case WSP_ERR_LIMIT:
        http_conn_refuse(c, 431, "", "request head too large");
        break;
    case WSP_ERR_REFUSED:
        conn_finish(c);
        break;
    default:
        on_broken(c);
    }
}

void http_conn_drain(struct http_conn *c)
{
    c->last = true;
    if (c->state == HTTP_CONN_HEAD || c->state == HTTP_CONN_BETWEEN)
        conn_finish(c);
}

/* In a task of its own: a client that sends many requests ahead must not make us recurse. */
static void on_next(struct task *t)
{
    struct http_conn *c = container_of(t, struct http_conn, next);

    if (c->state == HTTP_CONN_HEAD)
        read_head(c);
}

void conn_next(struct http_conn *c)
{
    c->head_method = false; /* what comes next may be refused without having a method */
    if (c->last) {
        conn_finish(c);
        return;
    }
    if (c->out.bytes) { /* or a client that reads nothing could pile up responses */
        c->state = HTTP_CONN_BETWEEN;
        conn_timer(c, FLUSH_US);
        return;
    }
    c->state = HTTP_CONN_HEAD;
    conn_timer(c, c->reader.in.len ? c->head_us : (uint64_t)KEEP_ALIVE_US);
    task_post(loop_of(c), &c->next);
}

static void on_event(struct stream *s)
{
    struct http_conn *c = container_of(s, struct http_conn, stream);

    if (s->broken && c->state == HTTP_CONN_UPGRADED) {
        if (upgraded_broken(c))
            return;
    } else if (s->broken) {
        conn_end(c, true);
        return;
    }
    if (!conn_flush(c))
        return;
    if (c->state == HTTP_CONN_BETWEEN && c->out.bytes == 0)
        conn_next(c);
    else if (c->state == HTTP_CONN_HEAD)
        read_head(c);
    else if (c->up)
        exchange_event(c);
}

static void on_timer(struct timer *t)
{
    struct http_conn *c = container_of(t, struct http_conn, timer);

    if (c->state == HTTP_CONN_EXCHANGE && (c->passed || c->stream.readable))
        conn_timer(c, HTTP_CONN_BODY_US); /* it is not the client that we wait for */
    else if (c->state == HTTP_CONN_EXCHANGE)
        http_conn_refuse(c, 408, "", "request body not finished in time");
    else if (c->state == HTTP_CONN_OPENING)
        http_conn_refuse(c, 504, "", failure_text(FAILURE_TIMEOUT));
    else if (c->state == HTTP_CONN_HEAD && c->reader.in.len)
        http_conn_refuse(c, 408, "", "request head not finished in time");
    else
        conn_end(c, c->state != HTTP_CONN_HEAD);
}

/* The stream is open; on failure it is closed. */
static enum wsp_err begin(struct http_conn *c, const struct http_conn_ops *ops)
{
    struct wsp_loop *loop = loop_of(c);
    enum wsp_err err;

    stream_set_lowat(&c->stream, CONN_LOWAT);
    c->ops = ops;
    c->user = exchange_user;
    c->timer.fire = on_timer;
    task_init(&c->next, on_next);
    err = timer_set(loop, &c->timer, loop_now(loop) + c->head_us);
    if (err != WSP_OK)
        stream_close(&c->stream);
    return err;
}

enum wsp_err http_conn_start(struct http_conn *c, struct wsp_loop *loop, int fd,
                             const struct http_conn_ops *ops)
{
    enum wsp_err err = stream_init(&c->stream, loop, fd, on_event);

    return err == WSP_OK ? begin(c, ops) : err;
}

enum wsp_err http_conn_start_on(struct http_conn *c, struct stream *stream, struct slice early,
                                const struct http_conn_ops *ops)
{
    enum wsp_err err = stream_move(&c->stream, stream, on_event);

    if (err != WSP_OK) {
        stream_close(stream);
        return err;
    }
    if (early.len && buf_append(&c->reader.in, early.p, early.len) != WSP_OK) {
        stream_close(&c->stream);
        return WSP_ERR_NOMEM;
    }
    err = begin(c, ops);
    if (err == WSP_OK)
        task_post(loop_of(c), &c->next);
    else
        head_reader_fini(&c->reader);
    return err;
}
