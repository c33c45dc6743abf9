/* What a channel sends ahead of all that it is asked for (struct chan.lead). */
#include "fake_wsp_1.h"

#define LEAD "PROXY UNKNOWN\r\n"

/* A channel that we open, with a lead. */
static struct end *opening(struct rig *r)
{
    struct msg_request request = {.type = MSG_REMOTE, .url = slice_str("http://h:1")};
    struct end *e = rig_end(r);
    struct sent s;

    e->ch.lead = slice_str(LEAD);
    assert_int_equal(link_open(&r->link, &e->ch, &request), WSP_OK);
    assert_true(rig_next(r, &s));
    assert_int_equal(s.msg.cmd, MSG_CONNECT);
    rig_expect_nothing(r);
    return e;
}

/* It goes out when the channel opens, and nobody has to ask; data follows. */
static void test_first(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    for (int early = 0; early < 4; early++) {
        if (early & 1)
            rig_start(&r, true);
        else
            rig_start_1(&r, true);
        e = opening(&r);
        e->out = early & 2 ? slice_str("data") : NOTHING;
        if (early & 2)
            chan_ready(&e->ch);
        rig_send_response(&r, end_id(e), true, "");
        rig_expect(&r, end_id(e), MSG_TRANSFER, slice_str(LEAD));
        if (early & 2)
            rig_expect(&r, end_id(e), MSG_TRANSFER, slice_str("data"));
        rig_expect_nothing(&r);
        e->out = slice_str("more");
        chan_ready(&e->ch);
        rig_expect(&r, end_id(e), MSG_TRANSFER, slice_str("more"));
        rig_stop(&r);
    }
}

/* In pieces, if there is no more credit; an end waits for all of it. */
static void test_little_credit(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    for (int peeks = 0; peeks < 2; peeks++) {
        rig_start_1(&r, true);
        e = opening(&r);
        e->ch.peeks = peeks;
        e->then = CHAN_THEN_END;
        assert_int_equal(peer_respond(&r, end_id(e), 5), WSP_OK);
        rig_expect(&r, end_id(e), MSG_TRANSFER, slice_str("PROXY"));
        chan_ready(&e->ch);
        rig_expect_nothing(&r);
        peer_window(&r, end_id(e), 100);
        rig_expect(&r, end_id(e), MSG_TRANSFER, slice_str(" UNKNOWN\r\n"));
        rig_expect(&r, end_id(e), MSG_FINISH, NOTHING);
        rig_stop(&r);
    }
}

static void test_refused(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start_1(&r, true);
    e = opening(&r);
    rig_send_response(&r, end_id(e), false, "connection refused");
    assert_int_equal(e->how, CHAN_END_FAILED);
    rig_expect_nothing(&r);
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_little_credit),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
