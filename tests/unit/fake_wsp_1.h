/* A link under test in dialect wsp.1, and what its peer says and hears. */
#ifndef TESTS_UNIT_FAKE_WSP_1_H
#define TESTS_UNIT_FAKE_WSP_1_H

#include "fake_link.h"

#define NOTHING slice_of(NULL, 0)
#define PEER_WINDOW ((uint64_t)100000) /* of a channel whose opening says none */

enum { WINDOW = CREDIT_WINDOW_FIRST }; /* of a channel while memory is plenty */

static inline enum wsp_err peer_settings(struct rig *r, uint64_t window, uint64_t transfer)
{
    struct msg_settings s = {.window = window, .transfer = transfer, .instance = "sixteen bytes!!"};
    uint8_t data[MSG_SETTINGS_MAX];

    return rig_send(r, NOTHING, MSG_SETTINGS, slice_of(data, msg_settings_write(&s, data)));
}

/* Our SETTINGS, and the first ping for the round trip behind it. */
static inline void expect_greeting(struct rig *r)
{
    struct msg_settings got;
    struct sent s;

    assert_true(rig_next(r, &s));
    assert_int_equal(s.msg.cmd, MSG_SETTINGS);
    assert_int_equal(s.msg.id.len, 0);
    assert_int_equal(msg_settings_parse(s.msg.data, &got), WSP_OK);
    assert_int_equal(got.window, CREDIT_WINDOW_MIN);
    assert_int_equal(got.transfer, MSG_DATA_MAX);
    assert_memory_equal(got.instance, r->link.opt.instance, sizeof(got.instance));
    assert_true(rig_next(r, &s));
    assert_int_equal(s.frame.op, WS_PING);
    assert_int_equal(s.frame.len, 8);
}

/* Both have said SETTINGS. */
static inline void greet(struct rig *r)
{
    expect_greeting(r);
    assert_int_equal(peer_settings(r, PEER_WINDOW, MSG_DATA_MAX), WSP_OK);
    assert_int_equal(r->settled, 1);
    rig_expect_nothing(r);
}

static inline void rig_start_1(struct rig *r, bool server)
{
    rig_begin(r, rig_options(server, LINK_WSP_1));
    greet(r);
}

static inline enum wsp_err peer_connect(struct rig *r, const char *id, uint64_t window)
{
    struct msg_request request = {
        .type = MSG_DYNAMIC, .url = slice_str("tcp://x"), .window = window};
    uint8_t data[128];
    size_t len;

    assert_int_equal(msg_request_write(&request, data, sizeof(data), &len), WSP_OK);
    return rig_send(r, slice_str(id), MSG_CONNECT, slice_of(data, len));
}

static inline enum wsp_err peer_respond(struct rig *r, struct slice id, uint64_t window)
{
    struct msg_response response = {.success = true, .window = window};
    uint8_t data[128];
    size_t len;

    assert_int_equal(msg_response_write(&response, data, sizeof(data), &len), WSP_OK);
    return rig_send(r, id, MSG_RESPOND, slice_of(data, len));
}

static inline enum wsp_err peer_window(struct rig *r, struct slice id, uint64_t credit)
{
    uint8_t data[MSG_CREDIT_MAX];

    return rig_send(r, id, MSG_WINDOW, slice_of(data, msg_credit_write(credit, data)));
}

static inline enum wsp_err peer_finish(struct rig *r, const struct end *e)
{
    return rig_send(r, end_id(e), MSG_FINISH, NOTHING);
}

static inline enum wsp_err peer_interrupt(struct rig *r, const struct end *e, enum msg_reason why)
{
    uint8_t data = (uint8_t)why;

    return rig_send(r, end_id(e), MSG_INTERRUPT, slice_of(&data, 1));
}

static inline enum wsp_err peer_transfer(struct rig *r, struct slice id, size_t len)
{
    static uint8_t data[LINK_MESSAGE_MAX / 2];

    assert_true(len <= sizeof(data));
    return rig_send(r, id, MSG_TRANSFER, slice_of(data, len));
}

/* An open channel that the peer, or we, asked for. */
static inline struct end *rig_accepted_1(struct rig *r, const char *id, uint64_t window)
{
    struct msg_response got;
    struct end *e;
    struct sent s;

    assert_int_equal(peer_connect(r, id, window), WSP_OK);
    e = &r->end[r->ends - 1];
    assert_int_equal(e->ch.state, CHAN_ASKED);
    chan_accept(&e->ch, NOTHING);
    assert_true(rig_next(r, &s));
    assert_int_equal(s.msg.cmd, MSG_RESPOND);
    assert_int_equal(msg_response_parse(s.msg.data, &got), WSP_OK);
    assert_true(got.success);
    assert_int_equal(got.window, e->ch.window.size);
    return e;
}

static inline struct end *rig_opened_1(struct rig *r, uint64_t window)
{
    struct end *e = rig_opening(r);

    assert_int_equal(peer_respond(r, end_id(e), window), WSP_OK);
    assert_int_equal(e->ch.state, CHAN_OPEN);
    return e;
}

static inline void expect_interrupt(struct rig *r, struct slice id, enum msg_reason why)
{
    uint8_t data = (uint8_t)why;

    rig_expect(r, id, MSG_INTERRUPT, slice_of(&data, 1));
}

/* The next frame that is no WINDOW. */
static inline bool next_but_window(struct rig *r, struct sent *s)
{
    while (rig_next(r, s))
        if (s->frame.op != WS_BINARY || s->msg.cmd != MSG_WINDOW)
            return true;
    return false;
}

static inline uint64_t expect_window(struct rig *r, struct slice id)
{
    uint64_t credit = 0;
    struct sent s;

    assert_true(rig_next(r, &s));
    assert_int_equal(s.msg.cmd, MSG_WINDOW);
    assert_slice(s.msg.id, id);
    assert_int_equal(msg_credit_parse(s.msg.data, &credit), WSP_OK);
    return credit;
}

#endif
