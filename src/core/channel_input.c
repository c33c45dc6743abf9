/* What a channel receives: taken by its endpoint at once, or held until it can. */
#include "core/dialect.h"

enum {
    HELD_MAX = 256 * 1024, /* 0.10: bytes held before the link has to wait */
    HELD_SHORT = 32 * 1024 /* the same while memory is short */
};

bool chan_receives(const struct chan *ch)
{
    return ch && (ch->state == CHAN_OPEN || ch->state == CHAN_DRAINING || ch->state == CHAN_SENT);
}

bool chan_open_window(struct chan *ch)
{
    struct link *l = ch->link;
    size_t size;

    ch->pool = l->opt.pool;
    ch->cap = &l->cap;
    ch->window = (struct credit_window){0};
    if (!l->dialect->windows || ch->mute)
        return true;
    size = credit_reserve_first(ch->cap);
    credit_window_init(&ch->window, size, l->now_us);
    return size > 0;
}

void chan_drop_input(struct chan *ch)
{
    queue_clear(&ch->held, ch->pool);
    credit_release(ch->cap, ch->window.size);
    ch->window = (struct credit_window){0};
    ch->cap = NULL;
}

void chan_keep_held(struct chan *ch)
{
    struct credit_cap *cap = ch->cap->parent;

    credit_release(ch->cap, ch->window.size);
    ch->window = (struct credit_window){.size = ch->held.bytes};
    if (!credit_reserve(cap, ch->window.size)) /* cannot be: more has just been given back */
        ch->window.size = 0;
    ch->cap = cap;
}

/* `n` bytes have gone on: there is room for others. */
static void account(struct chan *ch, size_t n)
{
    struct link *l = ch->link;
    struct credit_terms terms;
    uint8_t data[MSG_CREDIT_MAX];
    size_t grant;

    if (!l || !l->dialect->windows)
        return;
    credit_window_take(&ch->window, n);
    if (!chan_receives(ch))
        return;
    terms = (struct credit_terms){
        .cap = ch->cap,
        .window_max = l->opt.window_max ? l->opt.window_max : (size_t)CREDIT_WINDOW_FIRST,
        .queued = ch->held.bytes,
        .rtt_us = link_rtt_us(l),
        .now = link_now(l),
    };
    grant = credit_window_grant(&ch->window, &terms);
    if (!grant)
        return;
    wsp_1_measure(l);
    link_put(l, ch->node.key, MSG_WINDOW, slice_of(data, msg_credit_write(grant, data)));
}

/* Without windows, memory is set aside when something is held. */
static void give_back(struct chan *ch, size_t n)
{
    if (ch->link && ch->link->dialect->windows)
        return;
    if (n > ch->window.size)
        n = ch->window.size;
    credit_release(ch->cap, n);
    ch->window.size -= n;
}

static size_t held_max(const struct chan *ch)
{
    return credit_is_short(ch->cap) ? HELD_SHORT : HELD_MAX;
}

static size_t room_0_10(struct chan *ch, size_t len)
{
    size_t max = held_max(ch);
    size_t room = ch->held.bytes < max ? max - ch->held.bytes : 0;

    if (len > room)
        len = room;
    if (len > credit_free(ch->cap))
        len = credit_free(ch->cap);
    credit_reserve(ch->cap, len);
    ch->window.size += len;
    return len;
}

/* False when that took the last memory: then the channel has ended. */
static bool append(struct chan *ch, struct slice data)
{
    if (queue_append(&ch->held, ch->pool, data) == WSP_OK)
        return true;
    chan_reset(ch);
    ch->ops->closed(ch, CHAN_END_RESET, slice_of(NULL, 0));
    return false;
}

static size_t hold(struct chan *ch, struct slice data)
{
    size_t n = ch->link->dialect->windows ? data.len : room_0_10(ch, data.len);

    return append(ch, slice_of(data.p, n)) ? n : data.len;
}

size_t chan_input(struct chan *ch, uint8_t *data, size_t len)
{
    struct link *l = ch->link;
    size_t taken = 0;

    ch->heard_us = l->now_us;
    if (ch->held.bytes == 0) {
        taken = ch->ops->deliver(ch, data, len);
        if (l->rx_chan != ch)
            return len;
        if (taken)
            ch->moved = true;
        account(ch, taken);
    }
    if (taken == len)
        return len;
    return taken + hold(ch, slice_of(data + taken, len - taken));
}

/* Holds what is left of the pieces behind the first `skip` bytes. */
static void hold_iov(struct chan *ch, const struct iovec *iov, int count, size_t skip)
{
    for (int i = 0; i < count; i++) {
        struct slice piece = slice_of(iov[i].iov_base, iov[i].iov_len);
        size_t n = skip < piece.len ? skip : piece.len;

        skip -= n;
        slice_advance(&piece, n);
        if (piece.len && !append(ch, piece))
            return;
    }
}

void chan_input_iov(struct chan *ch, const struct iovec *iov, int count)
{
    size_t taken = 0;
    bool gone = false;

    ch->heard_us = ch->link->now_us;
    if (ch->held.bytes == 0) {
        ch->gone = &gone;
        taken = ch->ops->deliver_iov(ch, iov, count);
        if (gone)
            return;
        ch->gone = NULL;
        account(ch, taken);
    }
    hold_iov(ch, iov, count, taken);
}

int chan_held(const struct chan *ch, struct iovec *iov, int max)
{
    return queue_iov(&ch->held, iov, max);
}

void chan_took(struct chan *ch, size_t n)
{
    if (n)
        ch->moved = true;
    queue_consume(&ch->held, ch->pool, n);
    give_back(ch, n);
    account(ch, n);
    /* Memory is free again: who waits for that, and holds nothing himself, is not told otherwise.
     */
    if (n && ch->link && ch->link->blocked && ch->link->blocked->held.bytes == 0) {
        ch->link->blocked = NULL;
        ch->link->opt.ops->wake(ch->link);
    }
}

/* The peer's FINISH stands behind what it sent, all of which was taken. */
static void tell_finished(struct chan *ch)
{
    ch->told = true;
    if (ch->ops->finished) {
        ch->ops->finished(ch);
        return;
    }
    chan_abort(ch);
    ch->ops->closed(ch, CHAN_END_PEER, slice_of(NULL, 0));
}

void chan_settle(struct chan *ch)
{
    struct link *l = ch->link;

    if (l && l->blocked == ch && ch->held.bytes < held_max(ch) / 2) {
        l->blocked = NULL;
        l->opt.ops->wake(l);
    }
    if (ch->held.bytes)
        return;
    if (ch->state == CHAN_FLUSHING)
        chan_close(ch, ch->over, slice_of(NULL, 0));
    else if (ch->state == CHAN_HEARD && !ch->told)
        tell_finished(ch);
}

void chan_heard_finish(struct chan *ch)
{
    if (ch->state == CHAN_SENT) {
        chan_over(ch, CHAN_END_PEER);
        return;
    }
    chan_set_state(ch, CHAN_HEARD);
    chan_settle(ch);
}

void chan_resume(struct chan *ch)
{
    bool gone = false;

    if (!chan_live(ch) || ch->gone)
        return;
    ch->gone = &gone;
    while (ch->held.bytes) {
        struct iovec iov;
        size_t taken;

        queue_iov(&ch->held, &iov, 1);
        taken = ch->ops->deliver(ch, iov.iov_base, iov.iov_len);
        if (gone)
            return;
        chan_took(ch, taken);
        if (taken < iov.iov_len)
            break;
    }
    ch->gone = NULL;
    chan_settle(ch);
}
