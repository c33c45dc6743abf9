#include "core/bridge.h"

#include "core/link_parts.h"

static const struct slice nothing = {NULL, 0};

static struct bridge_end *end_of(struct chan *ch)
{
    return container_of(ch, struct bridge_end, chan);
}

static struct bridge_end *other_of(struct bridge_end *e)
{
    return e == &e->bridge->opener ? &e->bridge->service : &e->bridge->opener;
}

void bridge_abort(struct bridge *b, struct slice text)
{
    if (b->opener.chan.state == CHAN_ASKED)
        chan_refuse(&b->opener.chan, text);
    chan_abort(&b->opener.chan);
    chan_abort(&b->service.chan);
}

static void on_opened(struct chan *ch, struct slice bound)
{
    struct bridge *b = end_of(ch)->bridge;
    const char *refusal = b->on_answer(b, true);

    if (!refusal) {
        chan_accept(&b->opener.chan, bound);
        return;
    }
    bridge_abort(b, slice_str(refusal));
    b->on_end(b, nothing);
}

/* The other side sends what is still held for it, then its end. */
static void end_after(struct bridge_end *e, enum chan_then then)
{
    e->then = then;
    chan_ready(&e->chan);
}

/* What is held for a side that sends no more goes nowhere. May close the channel. */
static void discard(struct bridge_end *e)
{
    chan_took(&e->chan, e->chan.held.bytes);
    chan_settle(&e->chan);
}

/* The other side is to send what is held here; what it holds itself waits for nobody now. Where
 * both only flush, nothing of it can be sent. */
static void on_flushing(struct chan *ch)
{
    struct bridge_end *e = end_of(ch);
    struct bridge_end *other = other_of(e);

    if (chan_can_send(&other->chan))
        discard(other);
    else
        discard(e);
}

static void on_finished(struct chan *ch)
{
    struct bridge_end *other = other_of(end_of(ch));

    if (chan_can_send(&other->chan))
        end_after(other, CHAN_THEN_END);
}

/* True when the other side ends by itself, and then calls on_closed in its turn: in time, or with
 * an INTERRUPT that is on the way already. */
static bool other_goes_on(struct bridge_end *other, enum chan_end end)
{
    bool proper = end == CHAN_END_PEER || end == CHAN_END_SENT;

    if (proper && chan_can_send(&other->chan)) {
        end_after(other, CHAN_THEN_CLOSE);
        return true;
    }
    if (proper)
        chan_hurry(&other->chan);
    return other->chan.state == CHAN_DRAINING && other->chan.hazard != CHAN_QUIET;
}

/* What the opener gets to know of the service's refusal. */
static struct slice refusal_of(struct bridge *b, struct slice text)
{
    const char *instead = b->on_answer(b, false);

    return instead ? slice_str(instead) : text;
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct bridge_end *other = other_of(end_of(ch));
    struct bridge *b = other->bridge;
    char why[256];
    size_t len = text.len < sizeof(why) ? text.len : sizeof(why);

    if (other_goes_on(other, end)) {
        discard(other);
        return;
    }
    if (len)
        memcpy(why, text.p, len);
    if (other->chan.state != CHAN_ASKED && end != CHAN_END_PEER && end != CHAN_END_SENT)
        chan_reset(&other->chan);
    bridge_abort(b, end == CHAN_END_FAILED ? refusal_of(b, text) : slice_str("interrupted"));
    b->on_end(b, slice_of(why, end == CHAN_END_FAILED ? len : 0));
}

/* Nobody wants this any more once the other side has ended. */
static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct bridge_end *other = other_of(end_of(ch));
    size_t taken;

    if (!chan_can_send(&other->chan))
        return len;
    taken = chan_send(&other->chan, slice_of(data, len));
    if (taken < len)
        chan_ready(&other->chan);
    return taken;
}

/* The other side's end may have waited for what was just taken: it is heard of next. */
static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct bridge_end *e = end_of(ch);
    struct chan *from = &other_of(e)->chan;
    size_t n = 0;

    while (n < cap && from->held.bytes) {
        struct iovec iov;
        size_t part;

        chan_held(from, &iov, 1);
        part = iov.iov_len < cap - n ? iov.iov_len : cap - n;
        memcpy(out + n, iov.iov_base, part);
        chan_took(from, part);
        n += part;
    }
    if (cap)
        chan_settle(from);
    return (struct chan_pull){n, from->held.bytes ? CHAN_THEN_MORE : e->then};
}

static const struct chan_ops ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .pull = on_pull,
    .finished = on_finished,
    .flushing = on_flushing,
};

static void end_init(struct bridge_end *e, struct bridge *b)
{
    *e = (struct bridge_end){.bridge = b, .then = CHAN_THEN_IDLE};
    chan_init(&e->chan, &ops);
    e->chan.patient = e->chan.peeks = true;
}

void bridge_init(struct bridge *b)
{
    end_init(&b->opener, b);
    end_init(&b->service, b);
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
