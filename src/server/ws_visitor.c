#include "server/ws_visitor.h"

enum {
    FRAME_MAX = 64 * 1024, /* bytes of payload in one frame */
    FLUSH_US = 60000000,   /* for a visitor that takes nothing of the last bytes */
};

static struct pool *pool_of(const struct ws_visitor *v)
{
    return loop_pool(v->stream.loop);
}

static void set_timer(struct ws_visitor *v)
{
    struct wsp_loop *loop = v->stream.loop;

    if (timer_set(loop, &v->timer, loop_now(loop) + FLUSH_US) != WSP_OK)
        log_error(loop_log(loop), "visitor: out of memory for a deadline");
}

void ws_visitor_drop(struct ws_visitor *v)
{
    stream_reset(&v->stream);
    queue_clear(&v->out, pool_of(v));
    timer_clear(v->stream.loop, &v->timer);
    v->state = WS_VISITOR_CLOSING;
}

/* So that what sends can end with it. */
static bool dropped(struct ws_visitor *v)
{
    ws_visitor_drop(v);
    return false;
}

bool ws_visitor_flush(struct ws_visitor *v)
{
    while (v->out.bytes && v->stream.writable) {
        struct iovec iov[4];
        ssize_t n = stream_send(&v->stream, iov, queue_iov(&v->out, iov, 4));

        if (n == STREAM_ERROR)
            return dropped(v);
        if (n > 0) {
            queue_consume(&v->out, pool_of(v), (size_t)n);
            if (v->state == WS_VISITOR_CLOSING)
                set_timer(v);
        }
    }
    if (v->state == WS_VISITOR_CLOSING && v->out.bytes == 0 && !stream_holds(&v->stream)) {
        timer_clear(v->stream.loop, &v->timer);
        stream_linger(&v->stream);
    }
    return true;
}

bool ws_visitor_send(struct ws_visitor *v, struct slice bytes)
{
    if (queue_append(&v->out, pool_of(v), bytes) != WSP_OK)
        return dropped(v);
    return ws_visitor_flush(v);
}

bool ws_visitor_control(struct ws_visitor *v, enum ws_opcode op, struct slice payload)
{
    struct ws_frame f = {.fin = true, .op = op, .len = payload.len};
    uint8_t frame[WS_HEADER_MAX + WS_CONTROL_MAX];
    size_t n = ws_frame_write(&f, frame);

    if (payload.len)
        memcpy(frame + n, payload.p, payload.len);
    return ws_visitor_send(v, slice_of(frame, n + payload.len));
}

/* Queues what is left of `s` when the first *skip bytes of it and what follows are sent already. */
static bool queue_rest(struct ws_visitor *v, struct slice s, size_t *skip)
{
    size_t n = *skip < s.len ? *skip : s.len;

    slice_advance(&s, n);
    *skip -= n;
    return queue_append(&v->out, pool_of(v), s) == WSP_OK;
}

/* One frame with the first `len` bytes of the pieces; what does not go out at once is queued. */
static bool send_frame(struct ws_visitor *v, const struct iovec *piece, size_t len)
{
    uint8_t header[WS_HEADER_MAX];
    struct ws_frame f = {.fin = true, .op = WS_BINARY, .len = len};
    struct iovec iov[1 + WS_VISITOR_PIECES] = {{header, ws_frame_write(&f, header)}};
    size_t sent;
    ssize_t n;
    int count = 1;

    for (size_t left = len; left; count++) {
        iov[count] = piece[count - 1];
        if (iov[count].iov_len > left)
            iov[count].iov_len = left;
        left -= iov[count].iov_len;
    }
    n = stream_send(&v->stream, iov, count);
    if (n == STREAM_ERROR)
        return dropped(v);
    sent = n > 0 ? (size_t)n : 0;
    for (int i = 0; i < count; i++)
        if (!queue_rest(v, slice_of(iov[i].iov_base, iov[i].iov_len), &sent))
            return dropped(v);
    return true;
}

static size_t frame_size(const struct iovec *piece, int count)
{
    size_t len = 0;

    for (int i = 0; i < count && len < FRAME_MAX; i++)
        len += piece[i].iov_len;
    return len < FRAME_MAX ? len : FRAME_MAX;
}

/* Drops the first `len` bytes of the pieces; returns where the rest begins. */
static int advance(struct iovec *piece, int at, size_t len)
{
    while (len && len >= piece[at].iov_len)
        len -= piece[at++].iov_len;
    if (len) {
        piece[at].iov_base = (uint8_t *)piece[at].iov_base + len;
        piece[at].iov_len -= len;
    }
    return at;
}

bool ws_visitor_data(struct ws_visitor *v, const struct iovec *iov, int count, size_t *taken)
{
    struct iovec rest[WS_VISITOR_PIECES];
    int n = count < WS_VISITOR_PIECES ? count : WS_VISITOR_PIECES;

    *taken = 0;
    memcpy(rest, iov, (size_t)n * sizeof(*rest));
    for (int at = 0; at < n && v->out.bytes == 0 && v->stream.writable;) {
        size_t len = frame_size(rest + at, n - at);

        if (!send_frame(v, rest + at, len))
            return false;
        *taken += len;
        at = advance(rest, at, len);
    }
    return true;
}

void ws_visitor_end(struct ws_visitor *v, struct slice last)
{
    v->state = WS_VISITOR_CLOSING;
    set_timer(v);
    ws_visitor_send(v, last);
}

void ws_visitor_close(struct ws_visitor *v, unsigned code)
{
    uint8_t payload[WS_CONTROL_MAX];
    size_t n = ws_close_write(code, slice_of(NULL, 0), payload);

    if (v->state == WS_VISITOR_CLOSING)
        return;
    v->state = WS_VISITOR_CLOSING;
    set_timer(v);
    ws_visitor_control(v, WS_CLOSE, slice_of(payload, n));
}
