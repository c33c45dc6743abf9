#include "server/ws_visitor.h"

enum {
    FLUSH_US = 60000000,   /* for a visitor that takes nothing of the last bytes */
    FRAME_MAX = 64 * 1024, /* bytes of payload in one frame */
    FRAME_MIN = 1024,      /* a smaller piece of more waits for room */
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
    if (v->state == WS_VISITOR_CLOSING && v->out.bytes == 0) {
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

static bool send_frame(struct ws_visitor *v, uint8_t *data, size_t len)
{
    uint8_t header[WS_HEADER_MAX];
    struct ws_frame f = {.fin = true, .op = WS_BINARY, .len = len};
    size_t header_len = ws_frame_write(&f, header);
    struct iovec iov[2] = {{header, header_len}, {data, len}};
    size_t sent = 0;

    if (v->out.bytes == 0 && v->stream.writable) {
        ssize_t n = stream_send(&v->stream, iov, 2);

        if (n == STREAM_ERROR)
            return dropped(v);
        sent = n > 0 ? (size_t)n : 0;
    }
    if (queue_rest(v, slice_of(header, header_len), &sent) &&
        queue_rest(v, slice_of(data, len), &sent))
        return true;
    return dropped(v);
}

/* How many of `len` bytes may go into the next frame. */
static size_t frame_size(const struct ws_visitor *v, size_t len)
{
    size_t held = v->out.bytes + WS_HEADER_MAX;
    size_t room = held < WS_VISITOR_QUEUE_MAX ? WS_VISITOR_QUEUE_MAX - held : 0;
    size_t n = len < FRAME_MAX ? len : FRAME_MAX;

    if (n <= room)
        return n;
    return room < FRAME_MIN ? 0 : room;
}

bool ws_visitor_data(struct ws_visitor *v, uint8_t *data, size_t len, size_t *taken)
{
    size_t n;

    *taken = 0;
    while (*taken < len && (n = frame_size(v, len - *taken)) > 0) {
        if (!send_frame(v, data + *taken, n))
            return false;
        *taken += n;
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
