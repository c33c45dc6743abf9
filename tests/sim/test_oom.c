/*
 * A scenario, over one link and through a bridge, in which the memory for one allocation after the
 * other is refused: alone, and together with all that follow. Linked with --wrap for malloc,
 * calloc, realloc and free.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/sim_random.h"
#include "sim/sim_rig.h"
#include "unit/short_memory.h"

enum { BYTES = 150000, ALLOCATIONS_MAX = 2000 };

/* ---- the scenario */

static struct end *end_if_live(unsigned i)
{
    struct end *e = rig.end[i];

    return e && !e->over ? e : NULL;
}

static void each_end(void (*what)(struct end *e))
{
    for (unsigned i = 0; i < 2; i++)
        if (end_if_live(i))
            what(rig.end[i]);
    rig_run(SECOND);
}

static void fill(struct end *e)
{
    e->room = 0;
    end_send(e, BYTES);
}

static void take(struct end *e)
{
    end_take(e, SIZE_MAX);
}

static enum act how; /* the scenario closes */

static void finish(struct end *e)
{
    end_act(e, how);
}

/* Opens, sends more than is taken, takes it, sends again, and closes: with data held. */
static void scenario(const struct path *path)
{
    rig_start(path, ACT_NOTHING, true);
    rig_run(SECOND);
    each_end(fill);
    each_end(take);
    each_end(fill);
    each_end(finish);
    each_end(take);
    rig_run(10 * SECOND);
}

static bool has_failed(const struct end *e)
{
    return e->how == CHAN_END_RESET || e->how == CHAN_END_FAILED || e->how == CHAN_END_PEER_RESET ||
           e->how == CHAN_END_LINK_LOST;
}

/* Either nobody has noticed, or both ends have seen that it broke. */
static void check_outcome(void)
{
    const struct end *opener = rig.end[0], *other = rig.end[1];

    check(opener->over && (!other || other->over), "an end is left over");
    if (!other) {
        check(opener->how == CHAN_END_FAILED || opener->how == CHAN_END_LINK_LOST ||
                  !opener->seen[0],
              "no peer, but not refused");
        return;
    }
    if (how != ACT_END || has_failed(opener) || has_failed(other))
        return;
    check(opener->got == other->sent && other->got == opener->sent, "bytes are missing");
}

/* True while there is an allocation number `n`. */
static bool run_with(const struct path *path, unsigned n, bool all)
{
    long live = memory.live;

    memory.exempt = &sim_allocating;
    memory.count = 0;
    memory.fail = n;
    memory.all = all;
    memory.armed = true;
    scenario(path);
    memory.armed = false;
    check_outcome();
    rig_stop();
    check(memory.live == live, "memory leaks");
    return memory.count >= n;
}

static void run_path(const struct path *path, bool all)
{
    unsigned total = 0;

    for (how = ACT_END; how <= ACT_ABORT; how++) {
        unsigned n = 1;

        while (run_with(path, n, all))
            check(++n < ALLOCATIONS_MAX, "too many allocations");
        total += n - 1;
    }
    assert_true(total > 100);
    print_message("%s: %u allocations\n", path->name, total);
}

static void test_one_fails(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RIG_PATHS; i++)
        run_path(&rig_paths[i], false);
}

static void test_all_fail(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RIG_PATHS; i++)
        run_path(&rig_paths[i], true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_fails),
                                       cmocka_unit_test(test_all_fail)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
