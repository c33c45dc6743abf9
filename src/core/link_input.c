/* From bytes to messages: frames are parsed and unmasked in the receive buffer, the data of a
 * TRANSFER goes on to its channel as it comes, everything else is collected. */
#include "core/dialect.h"

enum { MESSAGE_KEEP = 64 * 1024 }; /* a larger collecting buffer is given back */

/* Delivers what was gathered. */
static void flush_gathered(struct link *l)
{
    struct chan *ch = l->gathering;
    int count = l->gathered_count;

    l->gathering = NULL;
    l->gathered_count = 0;
    if (ch)
        chan_input_iov(ch, l->gathered, count);
}

/* The head of a TRANSFER has come. */
static struct chan *transfer(struct link *l, struct slice id, uint64_t len)
{
    struct chan *ch = l->dialect->transfer(l, id, len);

    if (ch)
        ch->received += len;
    return ch;
}

/* The data of a TRANSFER that came in another form than ours. */
static void on_transfer(struct link *l, const struct msg *m)
{
    struct chan *ch = transfer(l, m->id, m->data.len);

    if (!ch || m->data.len == 0)
        return;
    /* Keep the data alone; it is handed on as its channel takes it. */
    buf_consume(&l->message, (size_t)(m->data.p - buf_slice(&l->message).p));
    l->message.len = m->data.len;
    l->rx_chan = ch;
    l->rx = LINK_RX_REPLAY;
}

/* The first message shows which dialect the client speaks: what stands between us may have taken
 * its offer, or our answer, out of the handshake. */
static void on_first(struct link *l, int32_t cmd)
{
    if (l->heard || l->opt.dialect < LINK_EITHER)
        return;
    l->heard = true;
    if (cmd == MSG_SETTINGS) {
        l->dialect = &dialect_wsp_1;
        wsp_1_begin(l);
    } else if (l->opt.dialect == LINK_WSP_1_AWAITED) {
        link_fail(l, WS_CLOSE_PROTOCOL, "no SETTINGS");
    }
}

static void on_message(struct link *l, struct slice in)
{
    struct msg m;
    enum wsp_err err = msg_parse(in, &m);

    if (err == WSP_ERR_REFUSED) {
        link_fail(l, WS_CLOSE_BAD_DATA, "channel id is not UTF-8");
    } else if (err != WSP_OK) {
        link_note(l, "%s: undecodable message of %zu bytes ignored", l->name, in.len);
    } else if (m.id.len > MSG_ID_MAX) {
        link_fail(l, WS_CLOSE_TOO_BIG, "channel id of %zu bytes", m.id.len);
    } else {
        on_first(l, m.cmd);
        flush_gathered(l);
        if (l->failed)
            return;
        if (m.cmd == MSG_TRANSFER)
            on_transfer(l, &m);
        else
            l->dialect->message(l, &m);
    }
}

static void message_reset(struct link *l)
{
    l->in_message = false;
    l->message.off = l->message.len = 0;
    if (l->message.cap > MESSAGE_KEEP)
        buf_fini(&l->message);
}

static void message_done(struct link *l)
{
    l->rx = LINK_RX_HEADER;
    if (l->message_op == WS_BINARY)
        on_message(l, buf_slice(&l->message));
    else if (!slice_is_utf8(buf_slice(&l->message)))
        link_fail(l, WS_CLOSE_BAD_DATA, "text message is not UTF-8");
    else
        link_note(l, "%s: unsupported message type 1 ignored", l->name);
    if (l->rx != LINK_RX_REPLAY)
        message_reset(l);
}

static void on_close(struct link *l, struct slice payload)
{
    unsigned code;
    struct slice reason;

    if (ws_close_parse(payload, &code, &reason) != WSP_OK) {
        link_fail(l, WS_CLOSE_PROTOCOL, "bad close frame");
        return;
    }
    log_debug(l->opt.log, "%s: closed by the peer with %u %.*s", l->name, code, SLICE_FMT(reason));
    link_close(l, code, "");
}

/* A control frame is taken only whole: it is small. */
static enum wsp_err control(struct link *l, const struct ws_frame *f, struct slice in)
{
    uint8_t payload[WS_CONTROL_MAX];

    if (in.len < f->len)
        return WSP_ERR_MORE;
    memcpy(payload, in.p, (size_t)f->len);
    ws_mask(payload, (size_t)f->len, f->mask, 0);
    if (f->op == WS_CLOSE)
        on_close(l, slice_of(payload, (size_t)f->len));
    else if (f->op == WS_PING)
        link_put_frame(l, WS_PONG, slice_of(payload, (size_t)f->len));
    else
        l->dialect->pong(l, slice_of(payload, (size_t)f->len));
    return WSP_OK;
}

static bool frame_allowed(struct link *l, const struct ws_frame *f)
{
    if (f->masked != l->opt.server) {
        link_fail(l, WS_CLOSE_PROTOCOL, l->opt.server ? "unmasked frame" : "masked frame");
        return false;
    }
    if (ws_is_control(f->op))
        return true;
    if ((f->op == WS_CONT) != l->in_message) {
        link_fail(l, WS_CLOSE_PROTOCOL, "fragments out of order");
        return false;
    }
    if (f->len > LINK_MESSAGE_MAX - l->message.len) {
        link_fail(l, WS_CLOSE_TOO_BIG, "message over %d bytes", LINK_MESSAGE_MAX);
        return false;
    }
    return true;
}

static enum wsp_err step_header(struct link *l, struct slice in, size_t *used)
{
    struct slice rest = in;
    struct ws_frame f;
    enum wsp_err err = ws_frame_parse(&rest, &f);

    if (err == WSP_ERR_MALFORMED)
        link_fail(l, WS_CLOSE_PROTOCOL, "bad frame header");
    if (err != WSP_OK || !frame_allowed(l, &f))
        return err;
    if (ws_is_control(f.op)) {
        err = control(l, &f, rest);
        if (err == WSP_OK)
            *used = in.len - rest.len + (size_t)f.len;
        return err;
    }
    *used = in.len - rest.len;
    l->frame = f;
    l->frame_pos = 0;
    l->rx_clear = 0;
    l->rx = f.op == WS_BINARY && f.fin ? LINK_RX_PEEK : LINK_RX_COLLECT;
    if (f.op != WS_CONT)
        l->message_op = f.op;
    l->in_message = true;
    return WSP_OK;
}

static enum wsp_err step_peek(struct link *l, struct slice in, size_t *used)
{
    uint8_t head[MSG_HEAD_MAX];
    size_t n = in.len < sizeof(head) ? in.len : sizeof(head);
    size_t head_len;
    struct slice id;
    enum wsp_err err;

    if (n > l->frame.len)
        n = (size_t)l->frame.len;
    memcpy(head, in.p, n);
    if (l->frame.masked)
        ws_mask(head, n, l->frame.mask, 0);
    err = msg_transfer_peek(slice_of(head, n), l->frame.len, &id, &head_len);
    if (err == WSP_ERR_MORE && n < sizeof(head) && n < l->frame.len)
        return WSP_ERR_MORE;
    l->rx = LINK_RX_COLLECT;
    if (err != WSP_OK)
        return WSP_OK;
    if (!slice_is_utf8(id))
        return WSP_OK; /* collected, and refused there */
    on_first(l, MSG_TRANSFER);
    l->rx_chan = transfer(l, id, l->frame.len - head_len);
    l->rx = LINK_RX_STREAM;
    l->frame_pos = head_len;
    *used = head_len;
    return WSP_OK;
}

/* Frames of one channel that follow each other become one delivery. */
static void gather(struct link *l, struct chan *ch, uint8_t *data, size_t n)
{
    if (l->gathering != ch || l->gathered_count == LINK_GATHER_MAX)
        flush_gathered(l);
    if (l->rx_chan != ch)
        return;
    l->gathering = ch;
    l->gathered[l->gathered_count++] = (struct iovec){data, n};
}

/* The link has to wait for this channel. Trying again without success is no new beginning. */
static void block(struct link *l, struct chan *ch)
{
    if (ch->moved || !ch->blocked_us)
        ch->blocked_us = l->now_us;
    ch->moved = false;
    l->blocked = ch;
    l->blocked_us = ch->blocked_us;
    l->beat_us = l->now_us;
}

/* How much of `n` bytes the channel of the current TRANSFER takes; all, once it is gone. */
static size_t deliver(struct link *l, uint8_t *data, size_t n)
{
    struct chan *ch = l->rx_chan;
    size_t taken = n;

    if (ch && l->dialect->windows && ch->ops->deliver_iov)
        gather(l, ch, data, n);
    else if (ch)
        taken = chan_input(ch, data, n);
    if (taken < n)
        block(l, ch);
    return taken;
}

static void step_stream(struct link *l, uint8_t *data, size_t len, size_t *used)
{
    uint64_t left = l->frame.len - l->frame_pos;
    size_t n = len < left ? len : (size_t)left;

    if (l->frame.masked && l->rx_chan && n > l->rx_clear)
        ws_mask(data + l->rx_clear, n - l->rx_clear, l->frame.mask, l->frame_pos + l->rx_clear);
    *used = deliver(l, data, n);
    l->rx_clear = n - *used;
    l->frame_pos += *used;
    if (l->frame_pos < l->frame.len)
        return;
    l->rx = LINK_RX_HEADER;
    l->rx_chan = NULL;
    l->in_message = false;
}

static void step_collect(struct link *l, struct slice in, size_t *used)
{
    uint64_t left = l->frame.len - l->frame_pos;
    size_t n = in.len < left ? in.len : (size_t)left;

    if (buf_append(&l->message, in.p, n) != WSP_OK) {
        link_fail(l, WS_CLOSE_INTERNAL, "out of memory");
        return;
    }
    if (n && l->frame.masked)
        ws_mask(buf_tail(&l->message) - n, n, l->frame.mask, l->frame_pos);
    *used = n;
    l->frame_pos += n;
    if (l->frame_pos < l->frame.len)
        return;
    l->rx = LINK_RX_HEADER;
    if (l->frame.fin)
        message_done(l);
}

static void step_replay(struct link *l)
{
    size_t n = deliver(l, l->message.mem + l->message.off, l->message.len);

    flush_gathered(l);
    buf_consume(&l->message, n);
    if (l->message.len)
        return;
    l->rx = LINK_RX_HEADER;
    l->rx_chan = NULL;
    message_reset(l);
}

static enum wsp_err step(struct link *l, uint8_t *data, size_t len, size_t *used)
{
    switch (l->rx) {
    case LINK_RX_HEADER:
        return step_header(l, slice_of(data, len), used);
    case LINK_RX_PEEK:
        return step_peek(l, slice_of(data, len), used);
    case LINK_RX_STREAM:
        if (len == 0)
            return WSP_ERR_MORE;
        step_stream(l, data, len, used);
        return WSP_OK;
    case LINK_RX_COLLECT:
        if (len == 0 && l->frame_pos < l->frame.len)
            return WSP_ERR_MORE;
        step_collect(l, slice_of(data, len), used);
        return WSP_OK;
    case LINK_RX_REPLAY:
        step_replay(l);
        return WSP_OK;
    }
    return WSP_ERR_MALFORMED;
}

enum wsp_err link_input(struct link *l, uint8_t *data, size_t len, size_t *used, uint64_t now)
{
    *used = 0;
    l->now_us = l->last_rx_us = now;
    l->asked_us = 0;
    while (link_wants_input(l)) {
        size_t n = 0;

        if (step(l, data + *used, len - *used, &n) == WSP_ERR_MORE)
            break;
        *used += n;
    }
    l->in_total += *used;
    flush_gathered(l);
    return l->failed ? WSP_ERR_MALFORMED : WSP_OK;
}
