/* A bridge between two links, each in its own dialect, with the test as the peer of both. */
#ifndef TESTS_UNIT_BRIDGE_HELP_H
#define TESTS_UNIT_BRIDGE_HELP_H

#include "core/bridge.h"
#include "fake_wsp_1.h"

enum { OPENER, SERVICE, SIDES };

enum { FAR_WINDOW = 1000000 }; /* of the peers that speak wsp.1 */

struct world {
    struct rig rig[SIDES];
    struct bridge bridge;
    enum wsp_err err; /* of bridge_open */
    const char *refusal;
    unsigned answers, ends;
    char why[64];
    size_t said[SIDES]; /* bytes of the stream of that side */
    size_t heard[SIDES];
};

/* What a side is told, or tells, beside data. */
enum word {
    NO_WORD,
    FINISH,
    CLOSED, /* INTERRUPT CLOSED, or as 0.10 writes it */
    RESET,
};

static inline uint8_t stream_byte(int side, size_t pos)
{
    return (uint8_t)(pos * 7 + (pos >> 8) + (size_t)side * 101);
}

static inline struct bridge_end *bridge_side(struct world *w, int side)
{
    return side == OPENER ? &w->bridge.opener : &w->bridge.service;
}

static inline struct chan *chan_of(struct world *w, int side)
{
    return &bridge_side(w, side)->chan;
}

static inline struct slice id_of(struct world *w, int side)
{
    return chan_of(w, side)->node.key;
}

static inline bool speaks_1(struct world *w, int side)
{
    return link_speaks(&w->rig[side].link) == LINK_WSP_1;
}

static inline const char *on_answer(struct bridge *b, bool accepted)
{
    struct world *w = container_of(b, struct world, bridge);

    (void)accepted;
    w->answers++;
    return w->refusal;
}

static inline void on_bridge_end(struct bridge *b, struct slice why)
{
    struct world *w = container_of(b, struct world, bridge);

    assert_false(chan_live(&b->opener.chan) || chan_live(&b->service.chan));
    w->ends++;
    snprintf(w->why, sizeof(w->why), "%.*s", SLICE_FMT(why));
}

static inline void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct world *w = container_of(rig_of(l), struct world, rig[OPENER]);

    w->err = bridge_open(&w->bridge, l, id, &w->rig[SERVICE].link, request);
}

static inline void world_start(struct world *w, enum link_dialect opener, enum link_dialect service)
{
    memset(w, 0, sizeof(*w));
    for (int side = 0; side < SIDES; side++) {
        enum link_dialect dialect = side == OPENER ? opener : service;

        if (dialect == LINK_WSP_1)
            rig_start_1(&w->rig[side], true);
        else
            rig_start(&w->rig[side], true);
    }
    w->rig[OPENER].ops.connect = on_connect;
    bridge_init(&w->bridge);
    w->bridge.on_answer = on_answer;
    w->bridge.on_end = on_bridge_end;
}

static inline void world_stop(struct world *w)
{
    bridge_abort(&w->bridge, NOTHING);
    for (int side = 0; side < SIDES; side++)
        rig_stop(&w->rig[side]);
}

static inline void advance(struct world *w, uint64_t us)
{
    for (int side = 0; side < SIDES; side++)
        rig_advance(&w->rig[side], us);
}

/* ---- opening */

/* The opener asks, and the service is asked; `r` is what it is asked. */
static inline void ask(struct world *w, struct msg_request *r)
{
    bool one = speaks_1(w, OPENER);
    struct sent s;

    peer_connect(&w->rig[OPENER], one ? "1" : "x", one ? FAR_WINDOW : 0);
    assert_int_equal(w->err, WSP_OK);
    assert_true(rig_next(&w->rig[SERVICE], &s));
    assert_int_equal(s.msg.cmd, MSG_CONNECT);
    assert_slice(s.msg.id, id_of(w, SERVICE));
    assert_int_equal(msg_request_parse(s.msg.data, r), WSP_OK);
}

static inline void open_bridge(struct world *w, uint64_t service_window)
{
    struct msg_request r;
    struct sent s;

    ask(w, &r);
    peer_respond(&w->rig[SERVICE], id_of(w, SERVICE), speaks_1(w, SERVICE) ? service_window : 0);
    assert_true(rig_next(&w->rig[OPENER], &s));
    assert_int_equal(s.msg.cmd, MSG_RESPOND);
    assert_int_equal(chan_of(w, OPENER)->state, CHAN_OPEN);
    assert_int_equal(chan_of(w, SERVICE)->state, CHAN_OPEN);
    advance(w, 20 * MS);
}

/* ---- talking */

static inline void say_data(struct world *w, int side, size_t n)
{
    while (n) {
        uint8_t data[10000];
        size_t part = n < sizeof(data) ? n : sizeof(data);

        for (size_t i = 0; i < part; i++)
            data[i] = stream_byte(side, w->said[side] + i);
        rig_send(&w->rig[side], id_of(w, side), MSG_TRANSFER, slice_of(data, part));
        w->said[side] += part;
        n -= part;
    }
}

static inline void say(struct world *w, int side, enum word word)
{
    uint8_t reason = word == RESET ? MSG_RESET : MSG_CLOSED;
    struct rig *r = &w->rig[side];

    if (word == FINISH)
        rig_send(r, id_of(w, side), MSG_FINISH, NOTHING);
    else if (speaks_1(w, side))
        rig_send(r, id_of(w, side), MSG_INTERRUPT, slice_of(&reason, 1));
    else
        rig_send(r, id_of(w, side), MSG_INTERRUPT, slice_str(word == RESET ? "reset" : ""));
}

static inline enum word word_of(struct world *w, int side, const struct msg *m)
{
    assert_slice(m->id, id_of(w, side));
    if (m->cmd == MSG_FINISH) {
        assert_true(speaks_1(w, side));
        return FINISH;
    }
    assert_int_equal(m->cmd, MSG_INTERRUPT);
    if (!speaks_1(w, side))
        return slice_eq_str(m->data, "reset") ? RESET : CLOSED;
    assert_int_equal(m->data.len, 1);
    assert_in_range(m->data.p[0], MSG_CLOSED, MSG_RESET);
    return m->data.p[0] == MSG_RESET ? RESET : CLOSED;
}

/* Reads all that `side` is sent now: data of the other's stream, then at most one word. */
static inline enum word hear(struct world *w, int side)
{
    enum word word = NO_WORD;
    struct sent s;

    while (next_but_window(&w->rig[side], &s)) {
        if (s.frame.op != WS_BINARY)
            continue;
        assert_int_equal(word, NO_WORD);
        if (s.msg.cmd != MSG_TRANSFER) {
            word = word_of(w, side, &s.msg);
            continue;
        }
        for (size_t i = 0; i < s.msg.data.len; i++)
            assert_int_equal(s.msg.data.p[i], stream_byte(!side, w->heard[side]++));
    }
    return word;
}

/* The same, with the time that 0.10 needs between two messages. */
static inline enum word hear_soon(struct world *w, int side)
{
    enum word word = hear(w, side);

    for (int i = 0; i < 3 && word == NO_WORD; i++) {
        advance(w, 10 * MS);
        word = hear(w, side);
    }
    return word;
}

/* ---- all pairs */

static const enum link_dialect dialects[2] = {LINK_0_10, LINK_WSP_1};

/* Runs a test for all pairs of dialects. */
static inline void for_all(void (*test)(struct world *w))
{
    for (int pair = 0; pair < 4; pair++) {
        struct world w;

        world_start(&w, dialects[pair & 1], dialects[pair >> 1]);
        test(&w);
        world_stop(&w);
    }
}

/* The same for both directions of an open bridge; `near` speaks first. */
static inline void for_all_open(void (*test)(struct world *w, int near))
{
    for (int pair = 0; pair < 4; pair++)
        for (int near = 0; near < SIDES; near++) {
            struct world w;

            world_start(&w, dialects[pair & 1], dialects[pair >> 1]);
            open_bridge(&w, FAR_WINDOW);
            test(&w, near);
            world_stop(&w);
        }
}

/* So much that a part of it is held. */
static inline void load(struct world *w, int near)
{
    say_data(w, near, 250000);
    assert_true(chan_of(w, near)->held.bytes > 20000);
    assert_int_equal(w->rig[near].rx.len, 0);
}

#endif
