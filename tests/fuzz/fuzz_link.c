/* A whole link, as server or client, in either dialect, fed with the input in pieces: whatever
 * comes, it ends clean, and what was set aside for it is given back. The first byte chooses. */
#include <assert.h>
#include <string.h>

#include "core/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct end {
    struct chan chan;
};

static struct end ends[8];

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    (void)ch;
    (void)end;
    (void)text;
}

static void on_opened(struct chan *ch, struct slice bound)
{
    (void)ch;
    (void)bound;
}

/* The first byte of a delivery says what the endpoint does with it. */
static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    switch (data[0]) {
    case 'x':
        chan_abort(ch);
        return len;
    case 'r':
        chan_reset(ch);
        return len;
    case 'h':
        return len / 2; /* the rest is held */
    default:
        return len;
    }
}

static size_t on_deliver_iov(struct chan *ch, const struct iovec *iov, int count)
{
    size_t taken = 0;

    for (int i = 0; i < count; i++) {
        size_t n = on_deliver(ch, iov[i].iov_base, iov[i].iov_len);

        taken += n;
        if (n < iov[i].iov_len || !chan_live(ch))
            break;
    }
    return taken;
}

static void on_finished(struct chan *ch)
{
    chan_ready(ch);
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    size_t n = cap < 100 ? cap : 100;

    if (n)
        memset(out, 'p', n);
    return (struct chan_pull){n, ch->told ? CHAN_THEN_END : CHAN_THEN_IDLE};
}

static const struct chan_ops ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .pull = on_pull,
    .finished = on_finished,
};
static const struct chan_ops gathering_ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .deliver_iov = on_deliver_iov,
    .pull = on_pull,
};

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct msg_response failed = {.error = request->url};

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        if (chan_live(&ends[i].chan))
            continue;
        chan_init(&ends[i].chan, i % 2 ? &ops : &gathering_ops);
        ends[i].chan.peeks = i % 2;
        if (link_adopt(l, &ends[i].chan, id) != WSP_OK)
            break;
        chan_accept(&ends[i].chan, slice_of(NULL, 0));
        chan_ready(&ends[i].chan);
        return;
    }
    link_respond(l, id, &failed);
}

static void on_wake(struct link *l)
{
    (void)l;
}

static uint64_t acked(struct link *l)
{
    return l->out_sent;
}

static void zeros(void *out, size_t len)
{
    memset(out, 0, len); /* so that the mask of the input can be guessed */
}

static void feed(struct link *l, const uint8_t *data, size_t size, size_t piece)
{
    static uint8_t buffer[1 << 16];
    size_t held = 0;
    uint64_t now = 1;

    while (size && !l->failed) {
        size_t n = piece < size ? piece : size, used;

        if (held + n > sizeof(buffer))
            return;
        memcpy(buffer + held, data, n);
        held += n;
        data += n;
        size -= n;
        link_input(l, buffer, held, &used, now += 1000);
        assert(used <= held);
        memmove(buffer, buffer + used, held - used);
        held -= used;
        chan_resume(&ends[now / 1000 % (sizeof(ends) / sizeof(*ends))].chan);
        link_fill(l);
        link_sent(l, l->out.bytes);
        link_tick(l, now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct link_ops link_ops = {
        .connect = on_connect, .wake = on_wake, .acked = acked, .random = zeros};
    static const enum link_dialect dialects[] = {LINK_0_10, LINK_WSP_1, LINK_EITHER,
                                                 LINK_WSP_1_AWAITED};
    struct credit_cap memory = {.max = 1 << 20};
    struct pool pool;
    struct link link;
    struct link_options opt = {
        .name = "fuzz", .ops = &link_ops, .pool = &pool, .max_channels = 100, .memory = &memory};

    if (size < 2)
        return 0;
    opt.server = data[0] & 1;
    opt.dialect = dialects[data[0] >> 1 & (opt.server ? 3 : 1)];
    opt.ping_us = opt.dead_us = opt.probe_us = opt.probe_answer_us = opt.stall_us = 1000000000;
    pool_init(&pool, 4);
    link_init(&link, &opt, 1);
    feed(&link, data + 2, size - 2, data[1] ? data[1] : 1000);
    link_fini(&link);
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        chan_abort(&ends[i].chan);
    assert(pool_used(&pool) == 0 && memory.used == 0);
    pool_fini(&pool);
    return 0;
}
