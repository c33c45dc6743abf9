/* A whole link, as server or client, fed with the input in pieces: whatever comes, it ends clean.
 */
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

static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    if (len && data[0] == 'x')
        chan_abort(ch);
    return len;
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    (void)ch;
    memset(out, 'p', cap < 100 ? cap : 100);
    return (struct chan_pull){cap < 100 ? cap : 100, CHAN_THEN_IDLE};
}

static const struct chan_ops ops = {on_opened, on_closed, on_deliver, on_pull};

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct msg_response failed = {.error = request->url};

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        if (chan_live(&ends[i].chan))
            continue;
        chan_init(&ends[i].chan, &ops);
        assert(link_adopt(l, &ends[i].chan, id) == WSP_OK);
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
        link_fill(l);
        link_sent(l, l->out.bytes);
        link_tick(l, now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct link_ops link_ops = {on_connect, on_wake, acked, zeros};
    struct pool pool;
    struct link link;
    struct link_options opt = {
        .name = "fuzz", .ops = &link_ops, .pool = &pool, .max_channels = 100};

    if (size < 2)
        return 0;
    opt.server = data[0] & 1;
    opt.ping_us = opt.dead_us = opt.probe_us = opt.probe_answer_us = opt.stall_us = 1000000000;
    pool_init(&pool, 4);
    link_init(&link, &opt, 1);
    feed(&link, data + 2, size - 2, data[1] ? data[1] : 1000);
    link_fini(&link);
    assert(pool.used == 0);
    pool_fini(&pool);
    return 0;
}
