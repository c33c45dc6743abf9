#include "core/bridge.h"

static struct bridge_end *end_of(struct chan *ch)
{
    return container_of(ch, struct bridge_end, chan);
}

static struct bridge_end *other_of(struct bridge_end *e)
{
    return e == &e->bridge->opener ? &e->bridge->service : &e->bridge->opener;
}

static void release(struct bridge *b)
{
    queue_clear(&b->opener.out, b->pool);
    queue_clear(&b->service.out, b->pool);
}

void bridge_abort(struct bridge *b, struct slice text)
{
    if (b->opener.chan.state == CHAN_ASKED)
        chan_refuse(&b->opener.chan, text);
    chan_abort(&b->opener.chan);
    chan_abort(&b->service.chan);
    release(b);
}

static void on_opened(struct chan *ch, struct slice bound)
{
    struct bridge *b = end_of(ch)->bridge;
    const char *refusal = b->on_answer(b);

    if (!refusal) {
        chan_accept(&b->opener.chan, bound);
        return;
    }
    bridge_abort(b, slice_str(refusal));
    b->on_end(b, slice_of(NULL, 0));
}

/* The other side gets what is still queued for it, then its end. */
static void finish(struct bridge_end *e)
{
    e->finishing = true;
    chan_ready(&e->chan);
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct bridge_end *other = other_of(end_of(ch));
    struct bridge *b = other->bridge;
    char why[256];
    size_t len = text.len < sizeof(why) ? text.len : sizeof(why);

    if (chan_live(&other->chan) && (end == CHAN_END_PEER || end == CHAN_END_SENT) &&
        other->chan.state == CHAN_OPEN) {
        finish(other);
        return;
    }
    if (chan_live(&other->chan) && other->chan.state == CHAN_DRAINING)
        return; /* its INTERRUPT is on the way */
    if (len)
        memcpy(why, text.p, len);
    if (other->chan.state == CHAN_OPEN)
        chan_reset(&other->chan);
    bridge_abort(b, end == CHAN_END_FAILED ? text : slice_str("interrupted"));
    b->on_end(b, slice_of(why, end == CHAN_END_FAILED ? len : 0));
}

static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct bridge_end *other = other_of(end_of(ch));
    size_t taken = 0, room;

    if (!chan_live(&other->chan))
        return len; /* it has ended: nobody wants this any more */
    if (other->out.bytes == 0)
        taken = chan_send(&other->chan, slice_of(data, len));
    room = BRIDGE_QUEUE_MAX - other->out.bytes;
    if (room > len - taken)
        room = len - taken;
    if (queue_append(&other->out, other->bridge->pool, slice_of(data + taken, room)) != WSP_OK) {
        struct bridge *b = other->bridge;

        bridge_abort(b, slice_of(NULL, 0));
        b->on_end(b, slice_of(NULL, 0));
        return len;
    }
    if (room)
        chan_ready(&other->chan);
    return taken + room;
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct bridge_end *e = end_of(ch);
    struct bridge_end *other = other_of(e);
    size_t n = 0;

    while (n < cap && e->out.bytes) {
        struct iovec iov;
        size_t part;

        queue_iov(&e->out, &iov, 1);
        part = iov.iov_len < cap - n ? iov.iov_len : cap - n;
        memcpy(out + n, iov.iov_base, part);
        queue_consume(&e->out, e->bridge->pool, part);
        n += part;
    }
    if (e->out.bytes < BRIDGE_QUEUE_MAX / 2)
        chan_resume(&other->chan);
    if (e->out.bytes)
        return (struct chan_pull){n, CHAN_THEN_MORE};
    return (struct chan_pull){n, e->finishing ? CHAN_THEN_END : CHAN_THEN_IDLE};
}

static const struct chan_ops ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .pull = on_pull,
};

void bridge_init(struct bridge *b)
{
    b->opener = (struct bridge_end){.bridge = b};
    b->service = (struct bridge_end){.bridge = b};
    chan_init(&b->opener.chan, &ops);
    chan_init(&b->service.chan, &ops);
}

enum wsp_err bridge_open(struct bridge *b, struct link *from, struct slice id, struct link *to,
                         const struct msg_request *request)
{
    enum wsp_err err = link_adopt(from, &b->opener.chan, id);

    if (err != WSP_OK)
        return err;
    err = link_open(to, &b->service.chan, request);
    if (err != WSP_OK)
        chan_forget(&b->opener.chan);
    return err;
}
