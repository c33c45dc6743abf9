/* Every event in every state of a channel (core/channel.h). */
#include "fake_link.h"

enum event {
    SUCCESS,    /* the peer says RESPOND SUCCESS */
    FAILED,     /* RESPOND FAILED */
    GARBLED,    /* RESPOND with data that is no WspResponse */
    DATA,       /* TRANSFER */
    EMPTY,      /* TRANSFER without data */
    INTERRUPT,  /* INTERRUPT */
    CONNECT,    /* CONNECT with this id */
    ABORT,      /* chan_abort */
    FINISH,     /* chan_finish */
    PULL_END,   /* a pull says that our side has ended */
    PULL_RESET, /* a pull says that our side is broken */
    TIME,       /* a second passes */
    LOST,       /* link_lost */
};

enum { NO_ANSWER = -1, NO_END = -1 };

struct row {
    enum chan_state from;
    enum event event;
    enum chan_state to;
    int answer;       /* command sent, and its text */
    const char *text; /* data of INTERRUPT, error of RESPOND */
    int end;          /* what `closed` was told */
};

static const struct row table[] = {
    {CHAN_OPENING, SUCCESS, CHAN_OPEN, NO_ANSWER, "", NO_END},
    {CHAN_OPENING, FAILED, CHAN_CLOSED, NO_ANSWER, "", CHAN_END_FAILED},
    {CHAN_OPENING, GARBLED, CHAN_CLOSED, MSG_INTERRUPT, "reset", CHAN_END_FAILED},
    {CHAN_OPENING, DATA, CHAN_OPENING, MSG_INTERRUPT, UNKNOWN_ID, NO_END},
    {CHAN_OPENING, EMPTY, CHAN_OPENING, MSG_INTERRUPT, UNKNOWN_ID, NO_END},
    {CHAN_OPENING, INTERRUPT, CHAN_CLOSED, NO_ANSWER, "", CHAN_END_FAILED},
    {CHAN_OPENING, CONNECT, CHAN_OPENING, MSG_RESPOND, "channel id is in use", NO_END},
    {CHAN_OPENING, ABORT, CHAN_CLOSED, MSG_INTERRUPT, "", NO_END},
    {CHAN_OPENING, FINISH, CHAN_OPENING, NO_ANSWER, "", NO_END},
    {CHAN_OPENING, PULL_END, CHAN_OPENING, NO_ANSWER, "", NO_END},
    {CHAN_OPENING, PULL_RESET, CHAN_OPENING, NO_ANSWER, "", NO_END},
    {CHAN_OPENING, TIME, CHAN_OPENING, NO_ANSWER, "", NO_END},
    {CHAN_OPENING, LOST, CHAN_CLOSED, NO_ANSWER, "", CHAN_END_LINK_LOST},

    {CHAN_ASKED, SUCCESS, CHAN_ASKED, NO_ANSWER, "", NO_END},
    {CHAN_ASKED, FAILED, CHAN_ASKED, NO_ANSWER, "", NO_END},
    {CHAN_ASKED, GARBLED, CHAN_ASKED, NO_ANSWER, "", NO_END},
    {CHAN_ASKED, DATA, CHAN_ASKED, MSG_INTERRUPT, UNKNOWN_ID, NO_END},
    {CHAN_ASKED, EMPTY, CHAN_ASKED, MSG_INTERRUPT, UNKNOWN_ID, NO_END},
    {CHAN_ASKED, INTERRUPT, CHAN_CLOSED, NO_ANSWER, "", CHAN_END_PEER},
    {CHAN_ASKED, CONNECT, CHAN_ASKED, MSG_RESPOND, "channel id is in use", NO_END},
    {CHAN_ASKED, ABORT, CHAN_CLOSED, MSG_RESPOND, "canceled", NO_END},
    {CHAN_ASKED, FINISH, CHAN_ASKED, NO_ANSWER, "", NO_END},
    {CHAN_ASKED, PULL_END, CHAN_ASKED, NO_ANSWER, "", NO_END},
    {CHAN_ASKED, PULL_RESET, CHAN_ASKED, NO_ANSWER, "", NO_END},
    {CHAN_ASKED, TIME, CHAN_ASKED, NO_ANSWER, "", NO_END},
    {CHAN_ASKED, LOST, CHAN_CLOSED, NO_ANSWER, "", CHAN_END_LINK_LOST},

    {CHAN_OPEN, SUCCESS, CHAN_OPEN, NO_ANSWER, "", NO_END},
    {CHAN_OPEN, FAILED, CHAN_OPEN, NO_ANSWER, "", NO_END},
    {CHAN_OPEN, GARBLED, CHAN_OPEN, NO_ANSWER, "", NO_END},
    {CHAN_OPEN, DATA, CHAN_OPEN, NO_ANSWER, "", NO_END},
    {CHAN_OPEN, EMPTY, CHAN_OPEN, NO_ANSWER, "", NO_END},
    {CHAN_OPEN, INTERRUPT, CHAN_CLOSED, MSG_INTERRUPT, "", CHAN_END_PEER},
    {CHAN_OPEN, CONNECT, CHAN_OPEN, MSG_RESPOND, "channel id is in use", NO_END},
    {CHAN_OPEN, ABORT, CHAN_CLOSED, MSG_INTERRUPT, "", NO_END},
    {CHAN_OPEN, FINISH, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_OPEN, PULL_END, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_OPEN, PULL_RESET, CHAN_CLOSED, MSG_INTERRUPT, "reset", CHAN_END_RESET},
    {CHAN_OPEN, TIME, CHAN_OPEN, NO_ANSWER, "", NO_END},
    {CHAN_OPEN, LOST, CHAN_CLOSED, NO_ANSWER, "", CHAN_END_LINK_LOST},

    {CHAN_DRAINING, SUCCESS, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_DRAINING, FAILED, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_DRAINING, GARBLED, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_DRAINING, DATA, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_DRAINING, EMPTY, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_DRAINING, INTERRUPT, CHAN_CLOSED, MSG_INTERRUPT, "", CHAN_END_PEER},
    {CHAN_DRAINING, CONNECT, CHAN_DRAINING, MSG_RESPOND, "channel id is in use", NO_END},
    {CHAN_DRAINING, ABORT, CHAN_CLOSED, MSG_INTERRUPT, "", NO_END},
    {CHAN_DRAINING, FINISH, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_DRAINING, PULL_END, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_DRAINING, PULL_RESET, CHAN_DRAINING, NO_ANSWER, "", NO_END},
    {CHAN_DRAINING, TIME, CHAN_CLOSED, MSG_INTERRUPT, "", CHAN_END_SENT},
    {CHAN_DRAINING, LOST, CHAN_CLOSED, NO_ANSWER, "", CHAN_END_LINK_LOST},

    {CHAN_CLOSED, SUCCESS, CHAN_CLOSED, MSG_INTERRUPT, UNKNOWN_ID, NO_END},
    {CHAN_CLOSED, FAILED, CHAN_CLOSED, MSG_INTERRUPT, UNKNOWN_ID, NO_END},
    {CHAN_CLOSED, DATA, CHAN_CLOSED, MSG_INTERRUPT, UNKNOWN_ID, NO_END},
    {CHAN_CLOSED, EMPTY, CHAN_CLOSED, MSG_INTERRUPT, UNKNOWN_ID, NO_END},
    {CHAN_CLOSED, INTERRUPT, CHAN_CLOSED, NO_ANSWER, "", NO_END},
    {CHAN_CLOSED, ABORT, CHAN_CLOSED, NO_ANSWER, "", NO_END},
    {CHAN_CLOSED, FINISH, CHAN_CLOSED, NO_ANSWER, "", NO_END},
    {CHAN_CLOSED, PULL_END, CHAN_CLOSED, NO_ANSWER, "", NO_END},
    {CHAN_CLOSED, PULL_RESET, CHAN_CLOSED, NO_ANSWER, "", NO_END},
    {CHAN_CLOSED, TIME, CHAN_CLOSED, NO_ANSWER, "", NO_END},
    {CHAN_CLOSED, LOST, CHAN_CLOSED, NO_ANSWER, "", NO_END},
};

/* A channel in that state: `ours` when we opened it, where both are possible. */
static struct end *bring_to(struct rig *r, enum chan_state state, bool ours)
{
    struct end *e;

    if (state == CHAN_OPENING)
        return rig_opening(r);
    if (state == CHAN_ASKED)
        return rig_asked(r, "peer's");
    e = ours ? rig_opened(r) : rig_accepted(r, "peer's");
    if (state == CHAN_DRAINING)
        chan_finish(&e->ch);
    if (state == CHAN_CLOSED) {
        chan_abort(&e->ch);
        rig_expect(r, end_id(e), MSG_INTERRUPT, slice_str(""));
    }
    assert_int_equal(e->ch.state, state);
    return e;
}

static void pull_says(struct rig *r, struct end *e, enum chan_then then)
{
    e->then = then;
    chan_ready(&e->ch);
    link_fill(&r->link);
}

static void cause(struct rig *r, struct end *e, enum event event)
{
    switch (event) {
    case SUCCESS:
    case FAILED:
        rig_send_response(r, end_id(e), event == SUCCESS, event == SUCCESS ? "1.2.3.4:5" : "no");
        break;
    case GARBLED:
        rig_send(r, end_id(e), MSG_RESPOND, slice_str("\x0a"));
        break;
    case DATA:
        rig_send(r, end_id(e), MSG_TRANSFER, slice_str("data"));
        break;
    case EMPTY:
        rig_send(r, end_id(e), MSG_TRANSFER, slice_str(""));
        break;
    case INTERRUPT:
        rig_send(r, end_id(e), MSG_INTERRUPT, slice_str("never interpreted"));
        break;
    case CONNECT:
        rig_send_request(r, end_id(e), "socks5://b.example:80");
        break;
    case ABORT:
        chan_abort(&e->ch);
        break;
    case FINISH:
        chan_finish(&e->ch);
        break;
    case PULL_END:
    case PULL_RESET:
        pull_says(r, e, event == PULL_END ? CHAN_THEN_END : CHAN_THEN_RESET);
        break;
    case TIME:
        rig_take(r);
        rig_advance(r, SECOND);
        break;
    case LOST:
        link_lost(&r->link);
        break;
    }
}

static void check_row(const struct row *row, bool server, bool ours)
{
    struct rig r;
    struct end *e;
    bool takes = row->event == DATA && (row->from == CHAN_OPEN || row->from == CHAN_DRAINING);
    unsigned opened, connects;

    rig_start(&r, server);
    e = bring_to(&r, row->from, ours);
    opened = e->opened;
    connects = r.connects;
    cause(&r, e, row->event);
    if (e->ch.state != row->to || e->closed != (row->end != NO_END))
        fail_msg("state %d, event %d: got state %d, closed %u", (int)row->from, (int)row->event,
                 (int)e->ch.state, e->closed);
    if (row->end != NO_END)
        assert_int_equal(e->how, row->end);
    assert_int_equal(e->opened - opened, row->from == CHAN_OPENING && row->event == SUCCESS);
    assert_slice(buf_slice(&e->got), slice_str(takes ? "data" : ""));
    if (row->answer == MSG_INTERRUPT)
        rig_expect(&r, end_id(e), MSG_INTERRUPT, slice_str(row->text));
    else if (row->answer == MSG_RESPOND)
        rig_expect_response(&r, end_id(e), false, row->text);
    rig_expect_nothing(&r);
    assert_int_equal(r.connects, connects);
    assert_int_equal(r.link.channels.count, row->to == CHAN_CLOSED ? 0 : 1);
    rig_stop(&r);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        for (int variant = 0; variant < 4; variant++)
            check_row(&table[i], variant & 1, variant & 2);
}

/* A refused CONNECT with a live id leaves the first channel as it was. */
static void test_live_id_refused(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, true);
    e = rig_accepted(&r, "id");
    rig_send_request(&r, slice_str("id"), "socks5://other.example:80");
    rig_expect_response(&r, slice_str("id"), false, "channel id is in use");
    rig_send(&r, slice_str("id"), MSG_TRANSFER, slice_str("still here"));
    assert_slice(buf_slice(&e->got), slice_str("still here"));
    e->out = slice_str("and back");
    chan_ready(&e->ch);
    rig_expect(&r, slice_str("id"), MSG_TRANSFER, slice_str("and back"));
    assert_int_equal(r.connects, 1);
    rig_stop(&r);
}

static void test_texts(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, false);
    e = rig_opening(&r);
    rig_send_response(&r, end_id(e), true, "10.0.0.1:4711");
    assert_string_equal(e->text, "10.0.0.1:4711");
    e = rig_opening(&r);
    rig_send_response(&r, end_id(e), false, "dial tcp: no");
    assert_string_equal(e->text, "dial tcp: no");
    e = rig_opening(&r);
    rig_send(&r, end_id(e), MSG_RESPOND, slice_str("\x0a"));
    assert_string_equal(e->text, "undecodable response");
    rig_expect(&r, end_id(e), MSG_INTERRUPT, slice_str("reset"));
    e = rig_opening(&r);
    rig_send(&r, end_id(e), MSG_RESPOND, slice_str("")); /* code 0 is left out: FAILED */
    assert_int_equal(e->how, CHAN_END_FAILED);
    e = rig_asked(&r, "x");
    chan_accept(&e->ch, slice_str("10.0.0.2:1"));
    rig_expect_response(&r, slice_str("x"), true, "10.0.0.2:1");
    e = rig_asked(&r, "y");
    chan_refuse(&e->ch, slice_str("dial tcp: refused"));
    rig_expect_response(&r, slice_str("y"), false, "dial tcp: refused");
    assert_int_equal(e->closed, 0);
    rig_stop(&r);
}

/* What the endpoint said before the channel was open is not forgotten. */
static void test_ready_early(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, false);
    e = rig_opening(&r);
    e->out = slice_str("eager");
    chan_ready(&e->ch);
    rig_expect_nothing(&r);
    rig_send_response(&r, end_id(e), true, "");
    rig_expect(&r, end_id(e), MSG_TRANSFER, slice_str("eager"));

    e = rig_asked(&r, "x");
    e->out = slice_str("eager too");
    chan_ready(&e->ch);
    rig_expect_nothing(&r);
    chan_accept(&e->ch, slice_of(NULL, 0));
    rig_expect_response(&r, slice_str("x"), true, "");
    rig_advance(&r, 20 * MS);
    rig_expect(&r, slice_str("x"), MSG_TRANSFER, slice_str("eager too"));
    rig_stop(&r);
}

/* A struct chan can be used again once it is closed, whatever its last life left behind. */
static void test_reopen(void **state)
{
    struct msg_request request = {.type = MSG_LOCAL, .url = slice_str("tcp://ssh:pw@")};
    struct rig r;
    struct end *e;
    struct sent s;

    (void)state;
    rig_start(&r, false);
    e = rig_opened(&r);
    for (int round = 0; round < 3; round++) {
        e->out = slice_str("x");
        e->then = CHAN_THEN_END;
        chan_ready(&e->ch);
        rig_expect(&r, end_id(e), MSG_TRANSFER, slice_str("x"));
        if (round == 1)
            rig_send(&r, end_id(e), MSG_INTERRUPT, slice_str(""));
        rig_advance(&r, SECOND);
        rig_expect(&r, end_id(e), MSG_INTERRUPT, slice_str(""));
        assert_int_equal(e->how, round == 1 ? CHAN_END_PEER : CHAN_END_SENT);
        rig_expect_nothing(&r);
        assert_int_equal(link_open(&r.link, &e->ch, &request), WSP_OK);
        assert_true(rig_next(&r, &s) && s.msg.cmd == MSG_CONNECT);
        rig_send_response(&r, end_id(e), true, "");
    }
    assert_int_equal(e->opened, 4);
    rig_stop(&r);
}

static struct end *victim;

static void abort_other(struct chan *ch, enum chan_end how, struct slice text)
{
    end_closed(ch, how, text);
    chan_abort(&victim->ch);
}

/* `closed` may end other channels, also while all of them are being closed. */
static void test_closed_aborts_other(void **state)
{
    static struct chan_ops ops;
    struct rig r;
    struct end *e;

    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        rig_start(&r, false);
        ops = end_ops;
        ops.closed = abort_other;
        e = rig_opened(&r);
        e->ch.ops = &ops;
        victim = rig_opened(&r);
        chan_finish(&e->ch);
        chan_finish(&victim->ch);
        if (lost)
            link_lost(&r.link);
        else
            rig_advance(&r, SECOND);
        assert_int_equal(e->closed, 1);
        assert_false(chan_live(&victim->ch));
        rig_stop(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),  cmocka_unit_test(test_live_id_refused),
        cmocka_unit_test(test_texts),  cmocka_unit_test(test_ready_early),
        cmocka_unit_test(test_reopen), cmocka_unit_test(test_closed_aborts_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
