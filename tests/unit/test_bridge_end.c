/* How the ends of one channel of a bridge become those of the other, in any two dialects:
 * docs/protocol.md section 8 (core/bridge.c). */
#include "bridge_help.h"

/* An end needs no credit. */
static void test_ends_without_credit(void **state)
{
    static const enum word ends[] = {FINISH, CLOSED};

    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++)
        for (int early = 0; early < 2; early++) {
            struct world w;

            world_start(&w, LINK_WSP_1, LINK_WSP_1);
            open_bridge(&w, 1000);
            say_data(&w, OPENER, early ? 500 : 1000);
            say(&w, OPENER, ends[i]);
            assert_int_equal(hear(&w, SERVICE), ends[i]);
            assert_int_equal(w.heard[SERVICE], w.said[OPENER]);
            world_stop(&w);
        }
}

/* It stands behind what waits for credit. */
static void test_end_waits_for_bytes(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, LINK_WSP_1, LINK_WSP_1);
    open_bridge(&w, 1000);
    say_data(&w, OPENER, 1500);
    say(&w, OPENER, FINISH);
    assert_int_equal(hear(&w, SERVICE), NO_WORD);
    assert_int_equal(w.heard[SERVICE], 1000);
    peer_window(&w.rig[SERVICE], id_of(&w, SERVICE), 500);
    assert_int_equal(hear(&w, SERVICE), FINISH);
    assert_int_equal(w.heard[SERVICE], 1500);
    world_stop(&w);
}

/* INTERRUPT CLOSED, or what 0.10 has for it: the other side gets what is held, then the same. */
static void check_closed(struct world *w, int near)
{
    load(w, near);
    say_data(w, !near, 1000); /* nobody wants that any more */
    say(w, near, CLOSED);
    assert_int_equal(hear_soon(w, !near), CLOSED);
    assert_int_equal(w->heard[!near], 250000);
    assert_int_equal(hear_soon(w, near), speaks_1(w, near) ? NO_WORD : CLOSED); /* the answer */
    assert_int_equal(w->ends, 1);
}

static void test_closed(void **state)
{
    (void)state;
    for_all_open(check_closed);
}

/* What the other side holds the other way goes nowhere, and is waited for by nobody. */
static void check_closed_with_both_held(struct world *w, int near)
{
    load(w, near);
    load(w, !near);
    say(w, near, CLOSED);
    assert_int_equal(hear_soon(w, !near), CLOSED);
    assert_int_equal(w->heard[!near], 250000);
    assert_int_equal(w->ends, 1);
}

static void test_closed_with_both_held(void **state)
{
    (void)state;
    for_all_open(check_closed_with_both_held);
}

/* Whatever is held, a reset is told at once. */
static void check_reset(struct world *w, int near)
{
    load(w, near);
    say(w, near, RESET);
    assert_int_equal(w->ends, 1);
    assert_int_equal(hear(w, !near), RESET);
    assert_true(w->heard[!near] < 250000);
    assert_int_equal(hear_soon(w, near), speaks_1(w, near) ? NO_WORD : CLOSED);
}

static void test_reset(void **state)
{
    (void)state;
    for_all_open(check_reset);
}

static void check_lost(struct world *w, int near)
{
    load(w, near);
    link_lost(&w->rig[near].link);
    assert_int_equal(w->ends, 1);
    assert_int_equal(hear(w, !near), RESET);
    assert_true(w->heard[!near] < 250000);
}

static void test_lost(void **state)
{
    (void)state;
    for_all_open(check_lost);
}

/* A reader of 0.10 that takes nothing of its own link holds up the sender's link, and is ended. */
static void check_stalled(struct world *w, int near)
{
    if (speaks_1(w, near))
        return;
    while (link_wants_input(&w->rig[near].link))
        say_data(w, near, 50000);
    rig_advance(&w->rig[near], 31 * SECOND);
    assert_int_equal(w->ends, 1);
    assert_int_equal(hear(w, !near), RESET);
    assert_int_equal(hear(w, near), RESET);
}

static void test_stalled(void **state)
{
    (void)state;
    for_all_open(check_stalled);
}

/* FINISH, where both know it: each direction ends by itself, behind what is held. */
static void check_finish(struct world *w, int near)
{
    if (!speaks_1(w, near) || !speaks_1(w, !near))
        return;
    load(w, near);
    say(w, near, FINISH);
    assert_int_equal(hear(w, !near), FINISH);
    assert_int_equal(w->heard[!near], 250000);
    advance(w, 20 * SECOND); /* nobody is in a hurry */
    load(w, !near);
    assert_int_equal(hear(w, near), NO_WORD);
    assert_int_equal(w->heard[near], 250000);
    say(w, !near, FINISH);
    assert_int_equal(hear(w, near), FINISH);
    assert_int_equal(hear(w, !near), NO_WORD);
    assert_int_equal(w->ends, 1);
}

static void test_finish(void **state)
{
    (void)state;
    for_all_open(check_finish);
}

/* Both at the same time, with bytes held both ways. */
static void check_finish_both(struct world *w, int near)
{
    if (!speaks_1(w, near) || !speaks_1(w, !near))
        return;
    load(w, near);
    load(w, !near);
    say(w, near, FINISH);
    say(w, !near, FINISH);
    assert_int_equal(hear(w, !near), FINISH);
    assert_int_equal(hear(w, near), FINISH);
    assert_int_equal(w->heard[near], 250000);
    assert_int_equal(w->heard[!near], 250000);
    assert_int_equal(w->ends, 1);
}

static void test_finish_both(void **state)
{
    (void)state;
    for_all_open(check_finish_both);
}

/* After FINISH the same side says that it takes nothing more, either. */
static void check_finish_then_closed(struct world *w, int near)
{
    if (!speaks_1(w, near))
        return;
    say_data(w, near, 1000);
    say(w, near, FINISH);
    assert_int_equal(hear_soon(w, !near), speaks_1(w, !near) ? FINISH : NO_WORD);
    say(w, near, CLOSED);
    if (!speaks_1(w, !near))
        assert_int_equal(hear(w, !near), NO_WORD); /* not so close behind the last message */
    assert_int_equal(hear_soon(w, !near), CLOSED);
    assert_int_equal(w->heard[!near], 1000);
    assert_int_equal(hear_soon(w, near), NO_WORD);
    assert_int_equal(w->ends, 1);
}

static void test_finish_then_closed(void **state)
{
    (void)state;
    for_all_open(check_finish_then_closed);
}

/* The other side answers a FINISH with INTERRUPT: it gets nothing more, and the first its FINISH.
 */
static void check_closed_after_finish(struct world *w, int near)
{
    if (!speaks_1(w, near))
        return;
    say(w, near, FINISH);
    assert_int_equal(hear_soon(w, !near), speaks_1(w, !near) ? FINISH : NO_WORD);
    load(w, !near);
    say(w, !near, CLOSED);
    assert_int_equal(hear_soon(w, near), FINISH);
    assert_int_equal(w->heard[near], 250000);
    assert_int_equal(hear_soon(w, !near), speaks_1(w, !near) ? NO_WORD : CLOSED);
    assert_int_equal(w->ends, 1);
}

static void test_closed_after_finish(void **state)
{
    (void)state;
    for_all_open(check_closed_after_finish);
}

static void check_reset_after_finish(struct world *w, int near)
{
    if (!speaks_1(w, near))
        return;
    say(w, near, FINISH);
    hear_soon(w, !near);
    say(w, !near, RESET);
    assert_int_equal(hear_soon(w, near), RESET);
    assert_int_equal(w->ends, 1);
}

static void test_reset_after_finish(void **state)
{
    (void)state;
    for_all_open(check_reset_after_finish);
}

/* ---- FINISH to a side that has no half-close */

static void check_patience(struct world *w, int near)
{
    if (!speaks_1(w, near) || speaks_1(w, !near))
        return;
    load(w, near);
    say(w, near, FINISH);
    assert_int_equal(hear_soon(w, !near), NO_WORD);
    assert_int_equal(w->heard[!near], 250000);
    for (int i = 0; i < 5; i++) { /* it speaks: it is let speak */
        advance(w, 4 * SECOND);
        say_data(w, !near, 1000);
        assert_int_equal(hear(w, near), NO_WORD);
        assert_int_equal(w->heard[near], w->said[!near]);
    }
    advance(w, 5 * SECOND - 100 * MS);
    assert_int_equal(hear(w, !near), NO_WORD);
    advance(w, 200 * MS);
    assert_int_equal(hear(w, !near), CLOSED);
    assert_int_equal(hear(w, near), FINISH);
    assert_int_equal(w->ends, 1);
}

static void test_patience(void **state)
{
    (void)state;
    for_all_open(check_patience);
}

/* Patience counts from the end of the bytes that are held, not from FINISH. */
static void check_patience_behind_held(struct world *w, int near)
{
    if (!speaks_1(w, near) || speaks_1(w, !near))
        return;
    load(w, near);
    say(w, near, FINISH);
    advance(w, 20 * SECOND); /* its link takes nothing in the meantime */
    assert_int_equal(hear(w, !near), NO_WORD);
    assert_int_equal(w->heard[!near], 250000);
    advance(w, 4 * SECOND);
    assert_int_equal(hear(w, !near), NO_WORD);
    advance(w, 2 * SECOND);
    assert_int_equal(hear(w, !near), CLOSED);
    assert_int_equal(hear(w, near), FINISH);
    assert_int_equal(w->ends, 1);
}

static void test_patience_behind_held(void **state)
{
    (void)state;
    for_all_open(check_patience_behind_held);
}

/* A link lost, or a reset, while we wait for silence. */
static void check_broken_while_patient(struct world *w, int near)
{
    if (!speaks_1(w, near) || speaks_1(w, !near))
        return;
    say(w, near, FINISH);
    hear_soon(w, !near);
    assert_int_equal(chan_of(w, !near)->hazard, CHAN_QUIET);
    if (near == OPENER)
        say(w, near, RESET);
    else
        link_lost(&w->rig[near].link);
    assert_int_equal(w->ends, 1);
    assert_int_equal(hear_soon(w, !near), RESET);
}

static void test_broken_while_patient(void **state)
{
    (void)state;
    for_all_open(check_broken_while_patient);
}

/* ---- ended by its owner */

static void check_aborted(struct world *w, int near)
{
    load(w, near);
    bridge_abort(&w->bridge, slice_str("unused"));
    assert_int_equal(w->ends, 0);
    assert_int_equal(hear(w, near), CLOSED);
    assert_int_equal(hear(w, !near), CLOSED);
}

static void test_aborted(void **state)
{
    (void)state;
    for_all_open(check_aborted);
}

static void check_aborted_while_opening(struct world *w)
{
    struct msg_request r;

    ask(w, &r);
    bridge_abort(&w->bridge, slice_str("too slow"));
    rig_expect_response(&w->rig[OPENER], id_of(w, OPENER), false, "too slow");
    assert_int_equal(hear_soon(w, SERVICE), CLOSED);
    assert_int_equal(w->ends, 0);
}

static void test_aborted_while_opening(void **state)
{
    (void)state;
    for_all(check_aborted_while_opening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends_without_credit),
        cmocka_unit_test(test_end_waits_for_bytes),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_closed_with_both_held),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_finish_both),
        cmocka_unit_test(test_finish_then_closed),
        cmocka_unit_test(test_closed_after_finish),
        cmocka_unit_test(test_reset_after_finish),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_patience_behind_held),
        cmocka_unit_test(test_broken_while_patient),
        cmocka_unit_test(test_aborted),
        cmocka_unit_test(test_aborted_while_opening),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
