/*
 * What two endpoints see of every way in which they can close: over one link in either dialect, and
 * through a bridge in every mix of them; with and without data that was not taken yet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/sim_random.h"
#include "sim/sim_rig.h"

/* What an endpoint does. */
enum deed {
    NOTHING = ACT_NOTHING,
    END = ACT_END,
    CLOSE = ACT_CLOSE,
    RESET = ACT_RESET,
    ABORT = ACT_ABORT,
    LOST, /* its link is lost */
};

enum { HELD_BYTES = 20000 };

#define SOON (SECOND / 10)    /* an end that waits for nobody takes less */
#define SEEN (SECOND / 20)    /* so much later, both have seen what there is to be seen at once */
#define WATCH (8 * SECOND)    /* nothing happens after this, not even a ping */
#define PATIENT (5 * SECOND)  /* a bridge waits so long for silence */
#define LATE_MAX (6 * SECOND) /* and then it ends */

/*
 * What the opener and the other one have seen in the end, apart by a blank, a letter each:
 *   f  the peer sends no more            s  closed: we have ended last
 *   p  closed: the peer has ended last   x  closed: we broke
 *   r  closed: reset by the peer         l  closed: the link is lost
 *   .  it has aborted and hears nothing
 * and of one that is not closed what is left: S it receives, H it sends, O both.
 * A * behind them: only when it had been silent for 5 s.
 */
struct row {
    enum deed opener, other;           /* at the same time */
    enum deed then_opener, then_other; /* a little later */
    const char *seen[RIG_PATHS];
};

static const struct row rows[] = {
    /* one alone */
    {END, NOTHING, .seen = {"s p", "S fH", "s p", "s p", "p p*", "S fH"}},
    {CLOSE, NOTHING, .seen = {"s p", "s p", "s p", "s p", "s p", "s p"}},
    {RESET, NOTHING, .seen = {"x r", "x r", "x r", "x r", "x r", "x r"}},
    {ABORT, NOTHING, .seen = {". p", ". p", ". p", ". p", ". p", ". p"}},
    {LOST, NOTHING, .seen = {"l l", "l l", "l r", "l r", "l r", "l r"}},
    {NOTHING, END, .seen = {"p s", "fH S", "p s", "p p*", "p s", "fH S"}},
    {NOTHING, CLOSE, .seen = {"p s", "p s", "p s", "p s", "p s", "p s"}},
    {NOTHING, RESET, .seen = {"r x", "r x", "r x", "r x", "r x", "r x"}},
    {NOTHING, ABORT, .seen = {"p .", "p .", "p .", "p .", "p .", "p ."}},
    {NOTHING, LOST, .seen = {"l l", "l l", "r l", "r l", "r l", "r l"}},
    /* both at once */
    {END, END, .seen = {"s s", "p p", "s s", "s p", "p s", "p p"}},
    {END, CLOSE, .seen = {"s s", "p s", "s s", "s s", "p s", "p s"}},
    {END, RESET, .seen = {"r x", "r x", "r x", "r x", "r x", "r x"}},
    {END, ABORT, .seen = {"p .", "p .", "s .", "s .", "p .", "p ."}},
    {END, LOST, .seen = {"l l", "l l", "r l", "r l", "r l", "r l"}},
    {CLOSE, END, .seen = {"s s", "s p", "s s", "s p", "s s", "s p"}},
    {CLOSE, CLOSE, .seen = {"s s", "s s", "s s", "s s", "s s", "s s"}},
    {CLOSE, RESET, .seen = {"r x", "s x", "r x", "r x", "s x", "s x"}},
    {CLOSE, ABORT, .seen = {"p .", "s .", "s .", "s .", "s .", "s ."}},
    {CLOSE, LOST, .seen = {"l l", "l l", "r l", "r l", "s l", "s l"}},
    {RESET, END, .seen = {"x r", "x r", "x r", "x r", "x r", "x r"}},
    {RESET, CLOSE, .seen = {"x r", "x s", "x r", "x s", "x r", "x s"}},
    {RESET, RESET, .seen = {"x x", "x x", "x x", "x x", "x x", "x x"}},
    {RESET, ABORT, .seen = {"x .", "x .", "x .", "x .", "x .", "x ."}},
    {RESET, LOST, .seen = {"l l", "l l", "x l", "x l", "x l", "x l"}},
    {ABORT, END, .seen = {". p", ". p", ". s", ". p", ". s", ". p"}},
    {ABORT, CLOSE, .seen = {". p", ". s", ". s", ". s", ". s", ". s"}},
    {ABORT, RESET, .seen = {". x", ". x", ". x", ". x", ". x", ". x"}},
    {ABORT, ABORT, .seen = {". .", ". .", ". .", ". .", ". .", ". ."}},
    {ABORT, LOST, .seen = {". l", ". l", ". l", ". l", ". l", ". l"}},
    {LOST, END, .seen = {"l l", "l l", "l r", "l r", "l r", "l r"}},
    {LOST, CLOSE, .seen = {"l l", "l l", "l r", "l s", "l r", "l s"}},
    {LOST, RESET, .seen = {"l l", "l l", "l x", "l x", "l x", "l x"}},
    {LOST, ABORT, .seen = {"l l", "l l", "l .", "l .", "l .", "l ."}},
    {LOST, LOST, .seen = {"l l", "l l", "l l", "l l", "l l", "l l"}},
    /* one after the other, where the first leaves something open */
    {END, NOTHING, RESET, NOTHING, .seen = {"s p", ". fr", "s p", "s p", ". r", ". fr"}},
    {END, NOTHING, ABORT, NOTHING, .seen = {"s p", ". fp", "s p", "s p", ". p", ". fp"}},
    {END, NOTHING, LOST, NOTHING, .seen = {"s p", "l fl", "s p", "s p", "l r", "l fr"}},
    {END, NOTHING, NOTHING, END, .seen = {"s p", "p fs", "s p", "s p", "p s", "p fs"}},
    {END, NOTHING, NOTHING, CLOSE, .seen = {"s p", "p fs", "s p", "s p", "p s", "p fs"}},
    {END, NOTHING, NOTHING, RESET, .seen = {"s p", "r fx", "s p", "s p", "r x", "r fx"}},
    {END, NOTHING, NOTHING, ABORT, .seen = {"s p", "p f.", "s p", "s p", "p .", "p f."}},
    {END, NOTHING, NOTHING, LOST, .seen = {"s p", "l fl", "s p", "s p", "r l", "r fl"}},
    {NOTHING, END, END, NOTHING, .seen = {"p s", "fs p", "p s", "s p", "p s", "fs p"}},
    {NOTHING, END, CLOSE, NOTHING, .seen = {"p s", "fs p", "p s", "s p", "p s", "fs p"}},
    {NOTHING, END, RESET, NOTHING, .seen = {"p s", "fx r", "p s", "x r", "p s", "fx r"}},
    {NOTHING, END, ABORT, NOTHING, .seen = {"p s", "f. p", "p s", ". p", "p s", "f. p"}},
    {NOTHING, END, LOST, NOTHING, .seen = {"p s", "fl l", "p s", "l r", "p s", "fl r"}},
    {NOTHING, END, NOTHING, RESET, .seen = {"p s", "fr .", "p s", "r .", "p s", "fr ."}},
    {NOTHING, END, NOTHING, ABORT, .seen = {"p s", "fp .", "p s", "p .", "p s", "fp ."}},
    {NOTHING, END, NOTHING, LOST, .seen = {"p s", "fl l", "p s", "r l", "p s", "fr l"}},
};

/* ---- one cell of the table */

/* Once the channel is open. */
static void start(const struct path *path, enum deed at_once)
{
    rig_start(path, (enum act)at_once, false);
    rig_run(SEEN);
    check(chan_can_send(rig.end[0]->ch), "not open");
}

/* The peers of the ends in `held` have sent, and those have taken nothing. */
static void hold(unsigned held)
{
    for (unsigned i = 0; i < 2; i++) {
        if (!(held & (1u << i)))
            continue;
        rig.end[i]->room = 0;
        end_send(rig.end[!i], HELD_BYTES);
        rig_run(WATCH);
        check(rig.end[i]->ch->held.bytes == HELD_BYTES, "not held");
    }
}

static void act(unsigned i, enum deed how)
{
    if (how == LOST)
        rig_lose(&rig.wire[rig.path->wires == 2 ? i : 0]);
    else
        end_act(rig.end[i], (enum act)how);
}

static char left_of(const struct end *e)
{
    if (!chan_can_send(e->ch))
        return 'S';
    return e->told ? 'H' : 'O';
}

static void describe(const struct end *e, char *out, size_t cap)
{
    char left[2] = "";

    if (!e->over)
        left[0] = left_of(e);
    else if (!e->seen[0] || e->seen[strlen(e->seen) - 1] == 'f')
        left[0] = '.';
    snprintf(out, cap, "%s%s", e->seen, left);
}

/* Only what broke may be heard of before what is held was taken. */
static void check_early(unsigned held)
{
    for (unsigned i = 0; i < 2; i++)
        check(!(held & (1u << i)) || !strpbrk(rig.end[i]->seen, "fps"),
              "an end was told before what came before it");
}

/* Everything before a proper end has come; nothing that was held comes after a reset. */
static void check_bytes(unsigned i, bool held)
{
    const struct end *e = rig.end[i];

    if (strpbrk(e->seen, "fp"))
        check(e->got == rig.end[!i]->sent, "bytes are missing");
    if (held && strpbrk(e->seen, "rlx"))
        check(e->got == 0, "bytes came after the reset");
}

static void take_all(unsigned i)
{
    if (!rig.end[i]->over)
        end_take(rig.end[i], SIZE_MAX);
}

/* They end at once, or when a bridge has been patient. */
static bool is_late(uint64_t took_us)
{
    check(took_us < SOON || (took_us >= PATIENT && took_us < LATE_MAX), "an end takes too long");
    return took_us >= SOON;
}

/* The ends whose bit is set in `held` have not taken what came before. */
static void run_cell(const struct row *row, const struct path *path, unsigned held, char *out,
                     size_t cap)
{
    char seen[2][8];
    uint64_t begin;
    bool late;

    start(path, NOTHING);
    hold(held);
    begin = rig.moved_us = rig.sim.now;
    act(0, row->opener);
    act(1, row->other);
    rig_run(SEEN);
    act(0, row->then_opener);
    act(1, row->then_other);
    rig_run(WATCH);
    late = is_late(rig.moved_us - begin);
    check_early(held);
    take_all(0);
    take_all(1);
    rig_run(WATCH);
    for (unsigned i = 0; i < 2; i++) {
        check_bytes(i, held & (1u << i));
        describe(rig.end[i], seen[i], sizeof(seen[i]));
    }
    snprintf(out, cap, "%s %s%s", seen[0], seen[1], late ? "*" : "");
    for (unsigned i = 0; i < 2; i++)
        end_act(rig.end[i], ACT_ABORT);
    rig_run(WATCH);
    rig_stop();
}

/* A row for each of the ways in which data may be held; where the ends act one after the other, who
 * still holds some has not seen the first: only without. */
static void run_row(const struct row *row)
{
    static const char *const names[] = {"NOTHING", "END", "CLOSE", "RESET", "ABORT", "LOST"};
    unsigned ways = row->then_opener || row->then_other ? 1 : 4;
    char seen[24];

    for (unsigned i = 0; i < RIG_PATHS * ways; i++) {
        const struct path *path = &rig_paths[i % RIG_PATHS];

        run_cell(row, path, i / RIG_PATHS, seen, sizeof(seen));
        if (strcmp(seen, row->seen[i % RIG_PATHS]) != 0)
            fail_msg("%s: opener %s, then %s; other %s, then %s; held %u: \"%s\", not \"%s\"",
                     path->name, names[row->opener], names[row->then_opener], names[row->other],
                     names[row->then_other], i / RIG_PATHS, seen, row->seen[i % RIG_PATHS]);
    }
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        run_row(&rows[i]);
}

/* A bridge waits for silence behind a half-close, and not for less. */
static void test_patience(void **state)
{
    (void)state;
    start(PATH_TO_0_10, NOTHING);
    act(0, END);
    for (int i = 0; i < 4; i++) {
        end_send(rig.end[1], HELD_BYTES);
        rig_run(PATIENT - SECOND);
        check(!rig.end[0]->over && !rig.end[1]->over, "closed while bytes still came");
    }
    check(rig.end[0]->got == 4 * HELD_BYTES, "bytes behind the half-close are missing");
    rig_run(2 * SECOND);
    check(rig.end[0]->over && rig.end[1]->over, "not closed in silence");
    rig_stop();
}

/* The half-close comes while the bridge still has to wait behind its answer. */
static void test_patience_behind_answer(void **state)
{
    (void)state;
    start(PATH_TO_WSP_1, END);
    end_send(rig.end[0], HELD_BYTES);
    rig_run(PATIENT - SECOND);
    check(!rig.end[0]->over && rig.end[1]->got == HELD_BYTES, "a half-close has closed both ways");
    rig_run(2 * SECOND);
    check(rig.end[0]->over && rig.end[1]->over, "not closed in silence");
    rig_stop();
}

/* A bridge that need not be patient any longer still keeps INTERRUPT away from TRANSFER. */
static void test_hurry(void **state)
{
    (void)state;
    start(PATH_TO_0_10, NOTHING);
    end_send(rig.end[0], HELD_BYTES);
    rig_run(SEEN);
    end_send(rig.end[0], HELD_BYTES);
    rig.end[0]->to_send = HELD_BYTES;
    rig_run(0);
    check(rig.end[1]->got == 2 * HELD_BYTES && !rig.end[1]->over, "not half-closed");
    act(0, ABORT);
    rig_run(SOON);
    check(rig.end[1]->over && rig.end[1]->seen_us - rig.end[1]->got_us >= 5000,
          "too close or too late");
    rig_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_patience),
        cmocka_unit_test(test_patience_behind_answer), cmocka_unit_test(test_hurry)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
