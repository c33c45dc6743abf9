/*
 * A client's link and a server's. Both sides open, send, stall, end, reset and abort at random,
 * bytes split, wait and freeze at random, links are lost at random; what must be true is looked at
 * in every step, and then everything is let go and has to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/sim_random.h"
#include "sim/sim_run.h"
#include "sim/sim_world.h"

enum { TOTAL_STEPS = 1500000, RUN_STEPS = 3000 };

static struct world w;

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct end *e = end_adopt(&w.sim, l, id, request);

    if (e)
        end_vary(e);
}

static void open_any(struct link *l)
{
    struct end *e = end_new(&w.sim);

    end_vary(e);
    e->whole = link_speaks(l) == LINK_WSP_1;
    end_open(e, l);
}

static void run(void)
{
    w = (struct world){.connect = on_connect, .open = open_any};
    world_start(&w, 1);
    for (int i = 0; i < RUN_STEPS; i++)
        world_step(&w);
    world_settle(&w);
    world_stop(&w);
    sim_count(&w.sim);
}

static void test_two_links(void **state)
{
    const struct sim_totals *t = &sim_totals;

    (void)state;
    if (!sim_run_seeds(run, TOTAL_STEPS))
        return;
    /* Or the runs have become too tame to prove anything. */
    assert_true(t->ends > 100000 && t->bytes > 1000000000 && t->proper > 20000);
    assert_true(t->halves > 3000 && t->resets > 3000 && t->lost > 500 && t->stalled > 20);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_links)};

    sim_arguments(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
