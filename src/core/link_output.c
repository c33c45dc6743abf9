/* From messages to bytes: frames are composed in blocks, small ones share a block. */
#include "core/link_parts.h"

enum {
    PULL_ROOM_MIN = 8 * 1024, /* with less room in a block, the next is begun */
};

static void next_mask(struct link *l, uint8_t mask[4])
{
    if (l->masks_left == 0) {
        l->opt.ops->random(l->masks, sizeof(l->masks));
        l->masks_left = sizeof(l->masks);
    }
    l->masks_left -= 4;
    memcpy(mask, l->masks + l->masks_left, 4);
}

/* A block with at least `room` bytes behind its contents: the last one, or a spare that joins the
 * queue with block_grew. Not the one that is lent: what is put meanwhile goes elsewhere. */
static struct block *block_with_room(struct link *l, size_t room)
{
    if (l->out.tail && l->out.tail != l->lent && block_room(l->out.tail) >= room)
        return l->out.tail;
    if (!l->spare)
        l->spare = pool_get(l->opt.pool);
    if (!l->spare)
        link_fail(l, 0, "out of memory");
    return l->spare;
}

static void block_grew(struct link *l, struct block *b, size_t n)
{
    b->len += n;
    l->out_total += n;
    if (b == l->spare) {
        queue_push(&l->out, b);
        l->spare = NULL;
    } else {
        l->out.bytes += n;
    }
}

/* Appends payload bytes, masked from position `pos` of the payload on. */
static void append(struct link *l, struct slice in, const struct ws_frame *f, uint64_t pos)
{
    while (in.len && !l->failed) {
        struct block *b = block_with_room(l, 1);
        size_t n;

        if (!b)
            return;
        n = block_room(b) < in.len ? block_room(b) : in.len;
        memcpy(block_end(b), in.p, n);
        if (f->masked)
            ws_mask(block_end(b), n, f->mask, pos);
        block_grew(l, b, n);
        pos += n;
        slice_advance(&in, n);
    }
}

/* The header of a frame, on which appends of its payload follow. */
static void append_header(struct link *l, struct ws_frame *f)
{
    uint8_t header[WS_HEADER_MAX];
    static const struct ws_frame plain = {0};

    f->fin = true;
    f->masked = !l->opt.server;
    if (f->masked)
        next_mask(l, f->mask);
    append(l, slice_of(header, ws_frame_write(f, header)), &plain, 0);
}

void link_put_frame(struct link *l, enum ws_opcode op, struct slice payload)
{
    struct ws_frame f = {.op = op, .len = payload.len};

    if (l->closing || l->failed)
        return;
    append_header(l, &f);
    append(l, payload, &f, 0);
    l->opt.ops->wake(l);
}

void link_put(struct link *l, struct slice id, enum msg_cmd cmd, struct slice data)
{
    uint8_t head[MSG_HEAD_MAX];
    size_t head_len = msg_head_write(head, id, cmd, data.len);
    struct ws_frame f = {.op = WS_BINARY, .len = head_len + data.len};

    if (l->closing || l->failed)
        return;
    append_header(l, &f);
    append(l, slice_of(head, head_len), &f, 0);
    append(l, data, &f, head_len);
    l->opt.ops->wake(l);
}

/* Puts frame header and message head right in front of the `len` bytes of data at `payload`, where
 * `reserved` bytes are free, and masks it all in place. Returns the bytes that stay unused. */
static size_t wrap(struct link *l, struct slice id, uint8_t *payload, size_t len, size_t reserved)
{
    struct ws_frame f = {.fin = true, .op = WS_BINARY, .masked = !l->opt.server};
    size_t head = msg_head_len(id.len, MSG_TRANSFER, len);
    size_t header = ws_frame_header_len(head + len, f.masked);
    uint8_t scratch[WS_HEADER_MAX];

    f.len = head + len;
    msg_head_write(payload - head, id, MSG_TRANSFER, len);
    if (f.masked) {
        next_mask(l, f.mask);
        ws_mask(payload - head, head + len, f.mask, 0);
    }
    ws_frame_write(&f, scratch);
    memcpy(payload - head - header, scratch, header);
    return reserved - head - header;
}

/* What the channel has to send next. */
static struct chan_pull ask(struct chan *ch, uint8_t *out, size_t cap)
{
    size_t n = ch->lead.len < cap ? ch->lead.len : cap;

    if (ch->lead.len == 0)
        return ch->ops->pull(ch, out, cap);
    if (n)
        memcpy(out, ch->lead.p, n);
    slice_advance(&ch->lead, n);
    return (struct chan_pull){n, CHAN_THEN_MORE};
}

/* Lends the channel a block. */
static struct chan_pull pull_into(struct link *l, struct chan *ch, struct block *b, size_t reserved)
{
    struct chan_pull p;

    l->lent = b;
    if (b == l->spare)
        l->spare = NULL;
    p = ask(ch, block_end(b) + reserved, chan_share(ch, block_room(b) - reserved));
    l->lent = NULL;
    if (b == l->out.tail || b->next || b->len)
        return p;
    pool_put(l->opt.pool, l->spare);
    l->spare = b;
    return p;
}

static void commit(struct link *l, struct block *b, size_t gap, size_t n)
{
    if (b->len == 0)
        b->off = gap;
    else if (gap) /* a frame under 16 KiB behind another: its header came out shorter */
        memmove(block_end(b), block_end(b) + gap, n);
    block_grew(l, b, n);
}

/* The peer has no room, but an end needs none. */
static void peek(struct chan *ch)
{
    struct chan_pull p = ask(ch, NULL, 0);

    if (p.then == CHAN_THEN_MORE || p.then == CHAN_THEN_IDLE)
        ch->ready = true; /* for when there is room */
    else
        chan_pulled(ch, p.then);
}

/* One TRANSFER of at most MSG_DATA_MAX bytes from a channel. */
static void pull(struct link *l, struct chan *ch)
{
    size_t head = msg_head_len(ch->node.key.len, MSG_TRANSFER, MSG_DATA_MAX);
    size_t reserved = head + ws_frame_header_len(head + MSG_DATA_MAX, !l->opt.server);
    struct block *b;
    struct chan_pull p;
    size_t gap;

    if (!ch->credit) {
        peek(ch);
        return;
    }
    b = block_with_room(l, reserved + PULL_ROOM_MIN);
    if (!b)
        return;
    p = pull_into(l, ch, b, reserved);
    if (p.len) {
        ch->credit -= p.len;
        ch->deficit -= (int32_t)p.len;
        ch->sent += p.len;
        gap = wrap(l, ch->node.key, block_end(b) + reserved, p.len, reserved);
        commit(l, b, gap, reserved - gap + p.len);
        ch->mark = l->out_total;
    }
    chan_pulled(ch, p.then);
}

/* Whose turn it is; NULL when nobody has data. */
static struct chan *next(struct link *l)
{
    struct list *node = list_shift(&l->fresh);
    struct chan *ch;

    if (node)
        return container_of(node, struct chan, ready_node);
    node = list_shift(&l->ready);
    if (!node)
        return NULL;
    ch = container_of(node, struct chan, ready_node);
    if (ch->round == l->round)
        l->round++; /* all others have had their turn */
    ch->round = l->round;
    ch->deficit += LINK_QUANTUM;
    return ch;
}

void link_fill(struct link *l)
{
    struct chan *ch;

    while (!l->failed && l->out.bytes < LINK_OUTPUT_TARGET && (ch = next(l))) {
        ch->ready = false;
        pull(l, ch);
    }
    pool_put(l->opt.pool, l->spare);
    l->spare = NULL;
}

int link_iov(const struct link *l, struct iovec *iov, int max)
{
    return queue_iov(&l->out, iov, max);
}

void link_sent(struct link *l, size_t n)
{
    l->out_sent += n;
    queue_consume(&l->out, l->opt.pool, n);
}
