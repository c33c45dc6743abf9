/* A relay on a link whose peer is the test, as is the reader and writer behind the stream. */
#ifndef TESTS_UNIT_RELAY_HELP_H
#define TESTS_UNIT_RELAY_HELP_H

#include "fake_wsp_1.h"

#include "net/relay.h"
#include "unit/net_help.h"

enum { HELD_MAX = 256 * 1024 }; /* bytes a channel of 0.10 holds before its link has to wait */

struct fixture {
    struct wsp_loop *loop;
    struct rig rig;
    struct relay relay;
    int far;
    struct received got;
    size_t delivered; /* bytes of the sequence that the peer has written */
    unsigned done, closed;
    enum chan_end end;
};

static inline struct fixture *fixture_of(struct relay *r)
{
    return container_of(r, struct fixture, relay);
}

static inline void on_opened(struct chan *ch, struct slice bound)
{
    (void)ch;
    (void)bound;
}

static inline void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct fixture *f = fixture_of(container_of(ch, struct relay, chan));

    f->closed++;
    f->end = end;
    relay_closed(ch, end, text);
}

static const struct chan_ops ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = relay_deliver,
    .deliver_iov = relay_deliver_iov,
    .pull = relay_pull,
    .finished = relay_finished,
    .flushing = relay_flushing,
};

static inline void on_done(struct relay *r)
{
    assert_false(stream_is_open(&r->stream));
    fixture_of(r)->done++;
}

static inline void on_stream(struct stream *s)
{
    (void)s;
}

static inline struct slice id_of(const struct fixture *f)
{
    return f->relay.chan.node.key;
}

static inline void open_channel(struct fixture *f, uint64_t window)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str("tcp://x")};
    struct sent s;

    assert_int_equal(link_open(&f->rig.link, &f->relay.chan, &request), WSP_OK);
    assert_true(rig_next(&f->rig, &s));
    peer_respond(&f->rig, id_of(f), window);
    assert_int_equal(f->relay.chan.state, CHAN_OPEN);
}

static inline int start_fixture(void **state, enum link_dialect dialect)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    assert_non_null(f);
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    tcp_pair(fds, 64 * 1024);
    relay_init(&f->relay, f->loop, &ops, on_done);
    assert_int_equal(stream_init(&f->relay.stream, f->loop, fds[0], on_stream), WSP_OK);
    f->far = fds[1];
    if (dialect == LINK_WSP_1)
        rig_start_1(&f->rig, true);
    else
        rig_start(&f->rig, true);
    open_channel(f, 1000000);
    *state = f;
    return 0;
}

static inline int setup(void **state)
{
    return start_fixture(state, LINK_0_10);
}

static inline int setup_1(void **state)
{
    return start_fixture(state, LINK_WSP_1);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    relay_fini(&f->relay);
    relay_fini(&f->relay);
    rig_stop(&f->rig);
    assert_int_equal(pool_used(loop_pool(f->loop)), 0);
    if (f->far >= 0)
        close(f->far);
    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

static inline void start(struct fixture *f, const char *early)
{
    assert_int_equal(relay_start(&f->relay, slice_str(early)), WSP_OK);
    turn_until_idle(f->loop);
}

/* What waited in front of the link goes in, as the carrier would see to it. */
static inline void pump(struct fixture *f)
{
    if (f->rig.rx.len && !f->rig.link.failed)
        rig_pump(&f->rig);
}

/* The peer sends `n` more bytes of the sequence; false when not all were taken. */
static inline bool deliver(struct fixture *f, size_t n)
{
    uint8_t *data = malloc(n);

    assert_non_null(data);
    pattern_fill(data, f->delivered, n);
    rig_send(&f->rig, id_of(f), MSG_TRANSFER, slice_of(data, n));
    free(data);
    f->delivered += n;
    return f->rig.rx.len == 0;
}

static inline size_t held(const struct fixture *f)
{
    return f->relay.chan.held.bytes;
}

static inline void deliver_until_full(struct fixture *f)
{
    while (deliver(f, 10000))
        assert_in_range(f->delivered, 0, 64 * 1024 * 1024);
}

/* The stream takes no more, and a part waits in the channel. */
static inline void deliver_until_held(struct fixture *f)
{
    while (held(f) < 200000) {
        assert_true(deliver(f, 10000));
        turn_until_idle(f->loop);
    }
}

static inline void receive_all(struct fixture *f)
{
    wait_for(f->loop, f->far,
             (pump(f), receive_some(f->far, &f->got, f->delivered) || f->got.len == f->delivered));
    assert_int_equal(f->got.len, f->delivered);
    assert_false(f->got.mismatch);
}

static inline void receive_end(struct fixture *f)
{
    wait_for(f->loop, f->far, receive_some(f->far, &f->got, SIZE_MAX));
    assert_false(f->got.mismatch);
}

static inline void reset_far(struct fixture *f)
{
    struct linger hard = {1, 0};

    setsockopt(f->far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(f->far);
    f->far = -1;
    wait_for(f->loop, -1, f->relay.stream.hangup || f->done);
}

static inline void end_far(struct fixture *f)
{
    shutdown(f->far, SHUT_WR);
    wait_for(f->loop, -1, f->relay.stream.hangup);
}

/* The channel has ended: all that was held, then a proper end. */
static inline void flushed(struct fixture *f, enum chan_end end)
{
    assert_int_equal(f->relay.chan.state, CHAN_FLUSHING);
    assert_int_equal(f->closed, 0);
    assert_int_equal(f->done, 0);
    assert_true(timer_is_set(&f->relay.idle));
    receive_end(f);
    assert_true(f->got.eof);
    assert_int_equal(f->got.len, f->delivered);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->end, end);
    assert_false(timer_is_set(&f->relay.idle));
}

static inline void interrupt(struct fixture *f, const char *data)
{
    rig_send(&f->rig, id_of(f), MSG_INTERRUPT, slice_str(data));
}

#endif
