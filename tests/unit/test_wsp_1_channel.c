/* Every event in every state of a channel in dialect wsp.1 (core/channel.h). */
#include "fake_wsp_1.h"

enum event {
    SUCCESS,    /* the peer says RESPOND SUCCESS */
    FAILED,     /* RESPOND FAILED */
    GARBLED,    /* RESPOND with data that is no WspResponse */
    DATA,       /* TRANSFER */
    EMPTY,      /* TRANSFER without data */
    TOO_BIG,    /* TRANSFER over 32 KiB */
    CREDIT,     /* WINDOW */
    END,        /* FINISH */
    CLOSE,      /* INTERRUPT without data */
    CLOSE_0,    /* INTERRUPT CLOSED */
    BREAK,      /* INTERRUPT with any other reason */
    ABORT,      /* chan_abort */
    RESET,      /* chan_reset */
    WITHDRAW,   /* chan_withdraw */
    OUR_END,    /* chan_finish */
    PULL_END,   /* a pull says that our side has ended */
    PULL_CLOSE, /* a pull says that we want nothing more, either */
    PULL_RESET, /* a pull says that our side is broken */
    TIME,       /* a second passes */
    LOST,       /* link_lost */
    EVENTS
};

enum { NO_ANSWER = -1, NO_END = -1, DOWN = 100 /* + close code: of the link */ };

#define BAD (DOWN + WS_CLOSE_PROTOCOL)

struct row {
    enum chan_state from;
    enum event event;
    enum chan_state to;
    int answer; /* command sent, or DOWN */
    int reason; /* of INTERRUPT */
    int end;    /* what `closed` was told */
};

static const struct row table[] = {
    {CHAN_OPENING, SUCCESS, CHAN_OPEN, NO_ANSWER, 0, NO_END},
    {CHAN_OPENING, FAILED, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_FAILED},
    {CHAN_OPENING, GARBLED, CHAN_CLOSED, MSG_INTERRUPT, MSG_PROTOCOL, CHAN_END_FAILED},
    {CHAN_OPENING, DATA, CHAN_OPENING, BAD, 0, NO_END},
    {CHAN_OPENING, EMPTY, CHAN_OPENING, NO_ANSWER, 0, NO_END},
    {CHAN_OPENING, TOO_BIG, CHAN_OPENING, BAD, 0, NO_END},
    {CHAN_OPENING, CREDIT, CHAN_OPENING, BAD, 0, NO_END},
    {CHAN_OPENING, END, CHAN_OPENING, BAD, 0, NO_END},
    {CHAN_OPENING, CLOSE, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_FAILED},
    {CHAN_OPENING, CLOSE_0, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_FAILED},
    {CHAN_OPENING, BREAK, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_FAILED},
    {CHAN_OPENING, ABORT, CHAN_CLOSED, MSG_INTERRUPT, MSG_CLOSED, NO_END},
    {CHAN_OPENING, RESET, CHAN_CLOSED, MSG_INTERRUPT, MSG_RESET, NO_END},
    {CHAN_OPENING, WITHDRAW, CHAN_CLOSED, MSG_INTERRUPT, MSG_WITHDRAWN, NO_END},
    {CHAN_OPENING, OUR_END, CHAN_OPENING, NO_ANSWER, 0, NO_END},
    {CHAN_OPENING, PULL_END, CHAN_OPENING, NO_ANSWER, 0, NO_END},
    {CHAN_OPENING, PULL_CLOSE, CHAN_OPENING, NO_ANSWER, 0, NO_END},
    {CHAN_OPENING, PULL_RESET, CHAN_OPENING, NO_ANSWER, 0, NO_END},
    {CHAN_OPENING, TIME, CHAN_OPENING, NO_ANSWER, 0, NO_END},
    {CHAN_OPENING, LOST, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_LINK_LOST},

    {CHAN_ASKED, SUCCESS, CHAN_ASKED, BAD, 0, NO_END},
    {CHAN_ASKED, FAILED, CHAN_ASKED, BAD, 0, NO_END},
    {CHAN_ASKED, GARBLED, CHAN_ASKED, BAD, 0, NO_END},
    {CHAN_ASKED, DATA, CHAN_ASKED, BAD, 0, NO_END},
    {CHAN_ASKED, EMPTY, CHAN_ASKED, NO_ANSWER, 0, NO_END},
    {CHAN_ASKED, TOO_BIG, CHAN_ASKED, BAD, 0, NO_END},
    {CHAN_ASKED, CREDIT, CHAN_ASKED, BAD, 0, NO_END},
    {CHAN_ASKED, END, CHAN_ASKED, BAD, 0, NO_END},
    {CHAN_ASKED, CLOSE, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER},
    {CHAN_ASKED, CLOSE_0, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER},
    {CHAN_ASKED, BREAK, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER_RESET},
    {CHAN_ASKED, ABORT, CHAN_CLOSED, MSG_RESPOND, 0, NO_END},
    {CHAN_ASKED, RESET, CHAN_CLOSED, MSG_RESPOND, 0, NO_END},
    {CHAN_ASKED, WITHDRAW, CHAN_CLOSED, MSG_RESPOND, 0, NO_END},
    {CHAN_ASKED, OUR_END, CHAN_ASKED, NO_ANSWER, 0, NO_END},
    {CHAN_ASKED, PULL_END, CHAN_ASKED, NO_ANSWER, 0, NO_END},
    {CHAN_ASKED, PULL_CLOSE, CHAN_ASKED, NO_ANSWER, 0, NO_END},
    {CHAN_ASKED, PULL_RESET, CHAN_ASKED, NO_ANSWER, 0, NO_END},
    {CHAN_ASKED, TIME, CHAN_ASKED, NO_ANSWER, 0, NO_END},
    {CHAN_ASKED, LOST, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_LINK_LOST},

    {CHAN_OPEN, SUCCESS, CHAN_OPEN, BAD, 0, NO_END},
    {CHAN_OPEN, FAILED, CHAN_OPEN, BAD, 0, NO_END},
    {CHAN_OPEN, GARBLED, CHAN_OPEN, BAD, 0, NO_END},
    {CHAN_OPEN, DATA, CHAN_OPEN, NO_ANSWER, 0, NO_END},
    {CHAN_OPEN, EMPTY, CHAN_OPEN, NO_ANSWER, 0, NO_END},
    {CHAN_OPEN, TOO_BIG, CHAN_OPEN, DOWN + WS_CLOSE_TOO_BIG, 0, NO_END},
    {CHAN_OPEN, CREDIT, CHAN_OPEN, NO_ANSWER, 0, NO_END},
    {CHAN_OPEN, END, CHAN_HEARD, NO_ANSWER, 0, NO_END},
    {CHAN_OPEN, CLOSE, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER},
    {CHAN_OPEN, CLOSE_0, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER},
    {CHAN_OPEN, BREAK, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER_RESET},
    {CHAN_OPEN, ABORT, CHAN_CLOSED, MSG_INTERRUPT, MSG_CLOSED, NO_END},
    {CHAN_OPEN, RESET, CHAN_CLOSED, MSG_INTERRUPT, MSG_RESET, NO_END},
    {CHAN_OPEN, WITHDRAW, CHAN_CLOSED, MSG_INTERRUPT, MSG_WITHDRAWN, NO_END},
    {CHAN_OPEN, OUR_END, CHAN_SENT, MSG_FINISH, 0, NO_END},
    {CHAN_OPEN, PULL_END, CHAN_SENT, MSG_FINISH, 0, NO_END},
    {CHAN_OPEN, PULL_CLOSE, CHAN_CLOSED, MSG_INTERRUPT, MSG_CLOSED, CHAN_END_SENT},
    {CHAN_OPEN, PULL_RESET, CHAN_CLOSED, MSG_INTERRUPT, MSG_RESET, CHAN_END_RESET},
    {CHAN_OPEN, TIME, CHAN_OPEN, NO_ANSWER, 0, NO_END},
    {CHAN_OPEN, LOST, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_LINK_LOST},

    {CHAN_SENT, SUCCESS, CHAN_SENT, BAD, 0, NO_END},
    {CHAN_SENT, FAILED, CHAN_SENT, BAD, 0, NO_END},
    {CHAN_SENT, GARBLED, CHAN_SENT, BAD, 0, NO_END},
    {CHAN_SENT, DATA, CHAN_SENT, NO_ANSWER, 0, NO_END},
    {CHAN_SENT, EMPTY, CHAN_SENT, NO_ANSWER, 0, NO_END},
    {CHAN_SENT, TOO_BIG, CHAN_SENT, DOWN + WS_CLOSE_TOO_BIG, 0, NO_END},
    {CHAN_SENT, CREDIT, CHAN_SENT, NO_ANSWER, 0, NO_END},
    {CHAN_SENT, END, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER},
    {CHAN_SENT, CLOSE, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER},
    {CHAN_SENT, CLOSE_0, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER},
    {CHAN_SENT, BREAK, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER_RESET},
    {CHAN_SENT, ABORT, CHAN_CLOSED, MSG_INTERRUPT, MSG_CLOSED, NO_END},
    {CHAN_SENT, RESET, CHAN_CLOSED, MSG_INTERRUPT, MSG_RESET, NO_END},
    {CHAN_SENT, WITHDRAW, CHAN_CLOSED, MSG_INTERRUPT, MSG_WITHDRAWN, NO_END},
    {CHAN_SENT, OUR_END, CHAN_SENT, NO_ANSWER, 0, NO_END},
    {CHAN_SENT, PULL_END, CHAN_SENT, NO_ANSWER, 0, NO_END},
    {CHAN_SENT, PULL_CLOSE, CHAN_SENT, NO_ANSWER, 0, NO_END},
    {CHAN_SENT, PULL_RESET, CHAN_SENT, NO_ANSWER, 0, NO_END},
    {CHAN_SENT, TIME, CHAN_SENT, NO_ANSWER, 0, NO_END},
    {CHAN_SENT, LOST, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_LINK_LOST},

    {CHAN_HEARD, SUCCESS, CHAN_HEARD, BAD, 0, NO_END},
    {CHAN_HEARD, FAILED, CHAN_HEARD, BAD, 0, NO_END},
    {CHAN_HEARD, GARBLED, CHAN_HEARD, BAD, 0, NO_END},
    {CHAN_HEARD, DATA, CHAN_CLOSED, MSG_INTERRUPT, MSG_PROTOCOL, CHAN_END_PEER_RESET},
    {CHAN_HEARD, EMPTY, CHAN_HEARD, NO_ANSWER, 0, NO_END},
    {CHAN_HEARD, TOO_BIG, CHAN_HEARD, DOWN + WS_CLOSE_TOO_BIG, 0, NO_END},
    {CHAN_HEARD, CREDIT, CHAN_HEARD, NO_ANSWER, 0, NO_END},
    {CHAN_HEARD, END, CHAN_CLOSED, MSG_INTERRUPT, MSG_PROTOCOL, CHAN_END_PEER_RESET},
    {CHAN_HEARD, CLOSE, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER},
    {CHAN_HEARD, CLOSE_0, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER},
    {CHAN_HEARD, BREAK, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_PEER_RESET},
    {CHAN_HEARD, ABORT, CHAN_CLOSED, MSG_INTERRUPT, MSG_CLOSED, NO_END},
    {CHAN_HEARD, RESET, CHAN_CLOSED, MSG_INTERRUPT, MSG_RESET, NO_END},
    {CHAN_HEARD, WITHDRAW, CHAN_CLOSED, MSG_INTERRUPT, MSG_WITHDRAWN, NO_END},
    {CHAN_HEARD, OUR_END, CHAN_CLOSED, MSG_FINISH, 0, CHAN_END_SENT},
    {CHAN_HEARD, PULL_END, CHAN_CLOSED, MSG_FINISH, 0, CHAN_END_SENT},
    {CHAN_HEARD, PULL_CLOSE, CHAN_CLOSED, MSG_FINISH, 0, CHAN_END_SENT},
    {CHAN_HEARD, PULL_RESET, CHAN_CLOSED, MSG_INTERRUPT, MSG_RESET, CHAN_END_RESET},
    {CHAN_HEARD, TIME, CHAN_HEARD, NO_ANSWER, 0, NO_END},
    {CHAN_HEARD, LOST, CHAN_CLOSED, NO_ANSWER, 0, CHAN_END_LINK_LOST},
};

/* A channel in that state: `ours` when we opened it, where both are possible. */
static struct end *bring_to(struct rig *r, enum chan_state state, bool ours)
{
    struct end *e;

    if (state == CHAN_OPENING)
        return rig_opening(r);
    if (state == CHAN_ASKED) {
        peer_connect(r, r->link.opt.server ? "5" : "6", 0);
        return &r->end[0];
    }
    e = ours ? rig_opened_1(r, 0) : rig_accepted_1(r, r->link.opt.server ? "5" : "6", 0);
    if (state == CHAN_SENT) {
        chan_finish(&e->ch);
        rig_expect(r, end_id(e), MSG_FINISH, NOTHING);
    } else if (state == CHAN_HEARD) {
        peer_finish(r, e);
    } else if (state == CHAN_FLUSHING) {
        e->room = 0;
        rig_send(r, end_id(e), MSG_TRANSFER, slice_str("held"));
        peer_interrupt(r, e, MSG_CLOSED);
        e->room = SIZE_MAX;
    } else if (state == CHAN_CLOSED) {
        peer_interrupt(r, e, MSG_CLOSED);
        e->closed = 0;
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

static void peer_does(struct rig *r, struct end *e, enum event event)
{
    if (event == SUCCESS || event == FAILED)
        rig_send_response(r, end_id(e), event == SUCCESS, event == SUCCESS ? "1.2.3.4:5" : "no");
    else if (event == GARBLED)
        rig_send(r, end_id(e), MSG_RESPOND, slice_str("\x0a"));
    else if (event == DATA || event == EMPTY)
        rig_send(r, end_id(e), MSG_TRANSFER, slice_str(event == DATA ? "data" : ""));
    else if (event == TOO_BIG)
        peer_transfer(r, end_id(e), MSG_DATA_MAX + 1);
    else if (event == CREDIT)
        peer_window(r, end_id(e), 100);
    else if (event == END)
        peer_finish(r, e);
    else if (event == CLOSE)
        rig_send(r, end_id(e), MSG_INTERRUPT, NOTHING);
    else
        peer_interrupt(r, e, event == BREAK ? MSG_TIMEOUT : MSG_CLOSED);
}

static void cause(struct rig *r, struct end *e, enum event event)
{
    if (event < ABORT) {
        peer_does(r, e, event);
    } else if (event == ABORT) {
        chan_abort(&e->ch);
    } else if (event == RESET) {
        chan_reset(&e->ch);
    } else if (event == WITHDRAW) {
        chan_withdraw(&e->ch);
    } else if (event == OUR_END) {
        chan_finish(&e->ch);
    } else if (event == TIME) {
        rig_take(r);
        rig_advance(r, SECOND);
    } else if (event == LOST) {
        link_lost(&r->link);
    } else {
        pull_says(r, e,
                  event == PULL_END     ? CHAN_THEN_END
                  : event == PULL_CLOSE ? CHAN_THEN_CLOSE
                                        : CHAN_THEN_RESET);
    }
}

static void expect_answer(struct rig *r, const struct row *row, struct slice id)
{
    if (row->answer >= DOWN)
        rig_expect_close(r, (unsigned)row->answer - DOWN);
    else if (row->answer == MSG_INTERRUPT)
        expect_interrupt(r, id, (enum msg_reason)row->reason);
    else if (row->answer == MSG_RESPOND)
        rig_expect_response(r, id, false, "canceled");
    else if (row->answer == MSG_FINISH)
        rig_expect(r, id, MSG_FINISH, NOTHING);
    rig_expect_nothing(r);
}

static void check_row(const struct row *row, bool server, bool ours)
{
    struct rig r;
    struct end *e;
    bool takes = row->event == DATA && (row->from == CHAN_OPEN || row->from == CHAN_SENT);
    bool heard = row->from == CHAN_HEARD || row->to == CHAN_HEARD;
    unsigned opened;

    rig_start_1(&r, server);
    e = bring_to(&r, row->from, ours);
    opened = e->opened;
    cause(&r, e, row->event);
    if (e->ch.state != row->to || e->closed != (row->end != NO_END))
        fail_msg("state %d, event %d: got state %d, closed %u", (int)row->from, (int)row->event,
                 (int)e->ch.state, e->closed);
    if (row->end != NO_END)
        assert_int_equal(e->how, row->end);
    assert_int_equal(e->opened - opened, row->from == CHAN_OPENING && row->event == SUCCESS);
    assert_int_equal(e->finished, heard);
    assert_slice(buf_slice(&e->got), slice_str(takes ? "data" : ""));
    expect_answer(&r, row, end_id(e));
    assert_true(r.link.failed == (row->answer >= DOWN || row->event == LOST));
    if (!chan_live(&e->ch))
        assert_int_equal(r.link.cap.used, 0);
    rig_stop(&r);
}

static void test_table(void **state)
{
    (void)state;
    assert_int_equal(COUNT(table), 5 * EVENTS);
    for (size_t i = 0; i < COUNT(table); i++)
        for (int variant = 0; variant < 4; variant++)
            check_row(&table[i], variant & 1, variant & 2);
}

/* Once it is out of the table nothing changes it but its owner. */
static void test_out_of_the_table(void **state)
{
    static const enum chan_state from[] = {CHAN_FLUSHING, CHAN_CLOSED};

    (void)state;
    for (size_t i = 0; i < COUNT(from); i++)
        for (int event = 0; event < EVENTS; event++) {
            bool ends = event == ABORT || event == RESET || event == WITHDRAW;
            struct rig r;
            struct end *e;

            rig_start_1(&r, event & 1);
            e = bring_to(&r, from[i], false);
            cause(&r, e, (enum event)event);
            assert_int_equal(e->ch.state, ends ? CHAN_CLOSED : from[i]);
            assert_int_equal(e->closed, 0);
            rig_expect_nothing(&r);
            chan_resume(&e->ch);
            assert_int_equal(e->closed, from[i] == CHAN_FLUSHING && !ends);
            assert_int_equal(e->got.len, e->closed ? 4 : 0);
            rig_stop(&r);
        }
}

static void test_texts(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start_1(&r, false);
    e = rig_opening(&r);
    rig_send(&r, end_id(e), MSG_INTERRUPT, slice_str("\x04no room"));
    assert_string_equal(e->text, "no room");
    e = rig_opening(&r);
    rig_send(&r, end_id(e), MSG_INTERRUPT, slice_str("\x04"));
    assert_string_equal(e->text, "interrupted");
    e = rig_opened_1(&r, 0);
    rig_send(&r, end_id(e), MSG_INTERRUPT, slice_str("\x05gone"));
    assert_string_equal(e->text, "gone");
    assert_int_equal(e->how, CHAN_END_PEER_RESET);
    rig_stop(&r);
}

/* An endpoint that knows no half-close is closed both ways. */
static void test_no_finished_op(void **state)
{
    static struct chan_ops ops;
    struct rig r;
    struct end *e;

    (void)state;
    rig_start_1(&r, true);
    ops = end_ops;
    ops.finished = NULL;
    e = rig_accepted_1(&r, "1", 0);
    e->ch.ops = &ops;
    peer_finish(&r, e);
    expect_interrupt(&r, slice_str("1"), MSG_CLOSED);
    assert_int_equal(e->how, CHAN_END_PEER);
    rig_expect_nothing(&r);
    rig_stop(&r);
}

static void finish_at_once(struct chan *ch)
{
    end_finished(ch);
    chan_finish(ch);
}

/* The endpoint may answer an end with its own from inside the callback. */
static void test_finish_inside_finished(void **state)
{
    static struct chan_ops ops;
    struct rig r;
    struct end *e;

    (void)state;
    for (int held = 0; held < 2; held++) {
        rig_start_1(&r, true);
        ops = end_ops;
        ops.finished = finish_at_once;
        e = rig_accepted_1(&r, "1", 0);
        e->ch.ops = &ops;
        e->room = held ? 0 : SIZE_MAX;
        peer_transfer(&r, end_id(e), 100);
        peer_finish(&r, e);
        e->room = SIZE_MAX;
        chan_resume(&e->ch);
        rig_expect(&r, slice_str("1"), MSG_FINISH, NOTHING);
        assert_int_equal(e->how, CHAN_END_SENT);
        assert_int_equal(e->got.len, 100);
        rig_stop(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_out_of_the_table),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_no_finished_op),
        cmocka_unit_test(test_finish_inside_finished),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
