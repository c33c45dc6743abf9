/* A link under test: its peer, its endpoints, its kernel and its clock are the test's. */
#ifndef TESTS_UNIT_FAKE_LINK_H
#define TESTS_UNIT_FAKE_LINK_H

#include "fake_end.h"
#include "fake_wire.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UNKNOWN_ID "connection does not exist"
#define SECOND ((uint64_t)1000000)
#define MS ((uint64_t)1000)

enum { RIG_ENDS = 8 };

/* What the test does when the peer asks for a channel. */
enum rig_answer { RIG_ADOPT, RIG_ACCEPT, RIG_REFUSE, RIG_RESPOND };

struct rig {
    struct link link;
    struct link_ops ops;
    struct pool pool;
    struct end end[RIG_ENDS];
    size_t ends;
    enum rig_answer answer;
    int32_t asked_type;
    char asked_url[64];
    unsigned connects, wakes, settled, goaways;
    uint64_t now;
    uint64_t unacked; /* bytes of the output in the peer's way */
    struct buf rx;    /* input not consumed yet */
    struct buf tx;    /* output not looked at yet */
    struct buf last;  /* payload of the frame that rig_next gave */
};

struct sent {
    struct ws_frame frame;
    struct slice payload; /* borrowed until the next rig_next */
    struct msg msg;       /* of a binary frame */
};

static uint64_t rig_seed; /* link_ops.random has no context */

static inline void rig_random(void *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        rig_seed = rig_seed * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(rig_seed >> 56);
    }
}

static inline struct rig *rig_of(struct link *l)
{
    return container_of(l, struct rig, link);
}

static inline void rig_wake(struct link *l)
{
    rig_of(l)->wakes++;
}

static inline void rig_settled(struct link *l)
{
    rig_of(l)->settled++;
}

static inline void rig_goaway(struct link *l)
{
    rig_of(l)->goaways++;
}

static inline uint64_t rig_now(const struct link *l)
{
    return container_of(l, struct rig, link)->now;
}

static inline uint64_t rig_acked(struct link *l)
{
    uint64_t unacked = rig_of(l)->unacked;

    return l->out_sent > unacked ? l->out_sent - unacked : 0;
}

static inline struct end *rig_end(struct rig *r)
{
    struct end *e = &r->end[r->ends++];

    assert_true(r->ends <= RIG_ENDS);
    chan_init(&e->ch, &end_ops);
    e->room = SIZE_MAX;
    e->then = CHAN_THEN_IDLE;
    return e;
}

static inline void rig_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct rig *r = rig_of(l);
    struct msg_response refused = {.error = slice_str("not here")};
    struct end *e;

    r->connects++;
    r->asked_type = request->type;
    snprintf(r->asked_url, sizeof(r->asked_url), "%.*s", SLICE_FMT(request->url));
    if (r->answer == RIG_RESPOND) {
        link_respond(l, id, &refused);
        return;
    }
    e = rig_end(r);
    if (link_adopt(l, &e->ch, id) != WSP_OK) {
        r->ends--;
        link_refuse(l, id, "limit");
    } else if (r->answer == RIG_ACCEPT) {
        chan_accept(&e->ch, slice_of(NULL, 0));
    } else if (r->answer == RIG_REFUSE) {
        chan_refuse(&e->ch, refused.error);
    }
}

static inline struct link_options rig_options(bool server, enum link_dialect dialect)
{
    return (struct link_options){.server = server,
                                 .name = "link 7",
                                 .max_channels = 4,
                                 .dialect = dialect,
                                 .ping_us = 25 * SECOND,
                                 .dead_us = 60 * SECOND,
                                 .probe_us = 75 * SECOND,
                                 .probe_answer_us = 10 * SECOND,
                                 .stall_us = 30 * SECOND};
}

static inline void rig_begin(struct rig *r, struct link_options opt)
{
    memset(r, 0, sizeof(*r));
    rig_seed = 1;
    r->ops = (struct link_ops){
        .connect = rig_connect,
        .wake = rig_wake,
        .acked = rig_acked,
        .random = rig_random,
        .now = rig_now,
        .settled = rig_settled,
        .goaway = rig_goaway,
    };
    r->now = 1000 * SECOND;
    pool_init(&r->pool, 2);
    opt.ops = &r->ops;
    opt.pool = &r->pool;
    assert_int_equal(link_init(&r->link, &opt, r->now), WSP_OK);
}

static inline void rig_start(struct rig *r, bool server)
{
    rig_begin(r, rig_options(server, LINK_0_10));
}

static inline void rig_stop(struct rig *r)
{
    link_fini(&r->link);
    for (size_t i = 0; i < r->ends; i++) {
        assert_false(chan_live(&r->end[i].ch));
        buf_fini(&r->end[i].got);
    }
    assert_int_equal(r->link.cap.used, 0);
    assert_int_equal(pool_used(&r->pool), 0);
    pool_fini(&r->pool);
    buf_fini(&r->rx);
    buf_fini(&r->tx);
    buf_fini(&r->last);
}

/* ---- input: what the peer writes */

/* Presents the waiting input in a buffer of exactly its size. */
static inline enum wsp_err rig_pump(struct rig *r)
{
    size_t used = SIZE_MAX, len = r->rx.len;
    uint8_t *exact = malloc(len ? len : 1);
    enum wsp_err err;

    assert_non_null(exact);
    if (len)
        memcpy(exact, buf_slice(&r->rx).p, len);
    err = link_input(&r->link, exact, len, &used, r->now);
    assert_true(used <= len);
    if (len)
        memcpy(r->rx.mem + r->rx.off, exact, len);
    buf_consume(&r->rx, used);
    free(exact);
    assert_int_equal(err, r->link.failed ? WSP_ERR_MALFORMED : WSP_OK);
    return err;
}

static inline enum wsp_err rig_feed(struct rig *r, struct slice in)
{
    assert_int_equal(buf_append(&r->rx, in.p, in.len), WSP_OK);
    return rig_pump(r);
}

static inline enum wsp_err rig_send_frame(struct rig *r, bool fin, enum ws_opcode op,
                                          struct slice payload)
{
    wire_frame(&r->rx, r->link.opt.server, fin, op, payload);
    return rig_pump(r);
}

static inline enum wsp_err rig_send(struct rig *r, struct slice id, int cmd, struct slice data)
{
    wire_msg(&r->rx, r->link.opt.server, id, cmd, data);
    return rig_pump(r);
}

static inline enum wsp_err rig_send_response(struct rig *r, struct slice id, bool success,
                                             const char *text)
{
    struct msg_response response = {.success = success};
    uint8_t data[128];
    size_t len;

    *(success ? &response.bound : &response.error) = slice_str(text);
    assert_int_equal(msg_response_write(&response, data, sizeof(data), &len), WSP_OK);
    return rig_send(r, id, MSG_RESPOND, slice_of(data, len));
}

static inline enum wsp_err rig_send_request(struct rig *r, struct slice id, const char *url)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str(url)};
    uint8_t data[128];
    size_t len;

    assert_int_equal(msg_request_write(&request, data, sizeof(data), &len), WSP_OK);
    return rig_send(r, id, MSG_CONNECT, slice_of(data, len));
}

/* ---- output: what the peer reads */

/* Takes all queued output, without pulling more. */
static inline void rig_take(struct rig *r)
{
    struct iovec iov[4];
    int n;

    while ((n = link_iov(&r->link, iov, 4)) > 0) {
        for (int i = 0; i < n; i++) {
            assert_true(iov[i].iov_len > 0);
            buf_append(&r->tx, iov[i].iov_base, iov[i].iov_len);
            link_sent(&r->link, iov[i].iov_len);
        }
    }
    assert_int_equal(r->link.out.bytes, 0);
    assert_int_equal(r->link.out_sent, r->link.out_total);
}

/* The next whole frame written; ws_frame_parse refuses lengths that are not minimal. */
static inline bool rig_next(struct rig *r, struct sent *s)
{
    struct slice in;

    link_fill(&r->link);
    rig_take(r);
    in = buf_slice(&r->tx);
    if (in.len == 0)
        return false;
    *s = (struct sent){0};
    assert_int_equal(ws_frame_parse(&in, &s->frame), WSP_OK);
    assert_true(s->frame.masked == !r->link.opt.server);
    assert_true(s->frame.fin && s->frame.len <= in.len);
    buf_consume(&r->last, r->last.len);
    buf_append(&r->last, in.p, (size_t)s->frame.len);
    buf_consume(&r->tx, r->tx.len - in.len + (size_t)s->frame.len);
    if (r->last.len)
        ws_mask(r->last.mem, r->last.len, s->frame.mask, 0);
    s->payload = buf_slice(&r->last);
    if (s->frame.op == WS_BINARY)
        assert_int_equal(msg_parse(s->payload, &s->msg), WSP_OK);
    return true;
}

static inline void assert_slice(struct slice got, struct slice want)
{
    assert_int_equal(got.len, want.len);
    if (want.len)
        assert_memory_equal(got.p, want.p, want.len);
}

static inline void rig_expect_frame(struct rig *r, enum ws_opcode op, struct slice payload)
{
    struct sent s;

    assert_true(rig_next(r, &s));
    assert_int_equal(s.frame.op, op);
    assert_slice(s.payload, payload);
}

static inline void rig_expect(struct rig *r, struct slice id, int cmd, struct slice data)
{
    struct buf m = {0};

    wire_message(&m, id, cmd, data);
    rig_expect_frame(r, WS_BINARY, buf_slice(&m));
    buf_fini(&m);
}

static inline void rig_expect_response(struct rig *r, struct slice id, bool success,
                                       const char *text)
{
    struct msg_response got;
    struct sent s;

    assert_true(rig_next(r, &s));
    assert_slice(s.msg.id, id);
    assert_int_equal(s.msg.cmd, MSG_RESPOND);
    assert_int_equal(msg_response_parse(s.msg.data, &got), WSP_OK);
    assert_true(got.success == success);
    assert_slice(success ? got.bound : got.error, slice_str(text));
}

static inline void rig_expect_close(struct rig *r, unsigned code)
{
    struct slice reason;
    unsigned got = 0;
    struct sent s;

    assert_true(rig_next(r, &s));
    assert_int_equal(s.frame.op, WS_CLOSE);
    assert_int_equal(ws_close_parse(s.payload, &got, &reason), WSP_OK);
    assert_int_equal(got, code);
}

static inline void rig_expect_nothing(struct rig *r)
{
    struct sent s;

    if (rig_next(r, &s))
        fail_msg("unexpected frame, opcode %d, command %d", (int)s.frame.op, (int)s.msg.cmd);
}

/* ---- time and channels */

/* Moves the clock, ticking at every deadline as the link's owner does. */
static inline void rig_advance(struct rig *r, uint64_t us)
{
    uint64_t until = r->now + us, due;
    unsigned ticks = 0;

    while ((due = link_deadline(&r->link)) <= until) {
        if (due > r->now)
            r->now = due;
        link_tick(&r->link, r->now);
        assert_true(++ticks < 100000);
    }
    r->now = until;
}

static inline struct slice end_id(const struct end *e)
{
    return e->ch.node.key;
}

/* We open a channel; CONNECT is taken from the output. */
static inline struct end *rig_opening(struct rig *r)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str("socks5://a.example:80")};
    struct end *e = rig_end(r);
    struct sent s;

    assert_int_equal(link_open(&r->link, &e->ch, &request), WSP_OK);
    assert_true(rig_next(r, &s));
    assert_int_equal(s.msg.cmd, MSG_CONNECT);
    return e;
}

static inline struct end *rig_opened(struct rig *r)
{
    struct end *e = rig_opening(r);

    rig_send_response(r, end_id(e), true, "");
    assert_int_equal(e->ch.state, CHAN_OPEN);
    return e;
}

/* The peer opens a channel. */
static inline struct end *rig_asked(struct rig *r, const char *id)
{
    r->answer = RIG_ADOPT;
    rig_send_request(r, slice_str(id), "socks5://a.example:80");
    return &r->end[r->ends - 1];
}

/* And it is accepted, and may send. */
static inline struct end *rig_accepted(struct rig *r, const char *id)
{
    struct end *e = rig_asked(r, id);

    chan_accept(&e->ch, slice_of(NULL, 0));
    rig_expect_response(r, slice_str(id), true, "");
    rig_advance(r, 10 * MS);
    return e;
}

#endif
