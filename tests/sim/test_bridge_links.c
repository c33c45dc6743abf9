/*
 * Two clients, and a server that bridges what one opens to the other: four links, each wire with a
 * dialect of its own. Everything happens at random, as with two links; the bytes have to come
 * through, and the server's memory has to add up as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/sim_bridge.h"
#include "sim/sim_random.h"
#include "sim/sim_run.h"
#include "sim/sim_world.h"

enum { TOTAL_STEPS = 1500000, RUN_STEPS = 4000 };

static struct world w;
static struct server server;
static uint64_t opened, mixed, refused;

static void server_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct wire *to = &w.wire[any(2)]; /* it may be the opener's own */
    struct link *link = &to->side[1].link;

    if (to->side[1].down || !link_is_settled(link))
        link_refuse(l, id, "nobody has registered");
    else
        server_bridge(&server, l, id, link, request);
}

static size_t flushing(const struct process *p)
{
    return server_flushing(&server, p);
}

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct end *e;

    if (l->opt.server) {
        server_connect(l, id, request);
        return;
    }
    e = end_adopt(&w.sim, l, id, request);
    if (e)
        end_vary(e);
}

static void open_any(struct link *l)
{
    struct end *e;

    if (l->opt.server)
        return;
    e = end_new(&w.sim);
    end_vary(e);
    e->bridged = true;
    e->whole = link_speaks(l) == LINK_WSP_1;
    end_open(e, l);
}

static void run(void)
{
    w = (struct world){.connect = on_connect, .open = open_any, .flushing = flushing};
    server_start(&server, &w.sim);
    server.refuse_one_in = 30;
    world_start(&w, 2);
    for (int i = 0; i < RUN_STEPS; i++)
        world_step(&w);
    world_settle(&w);
    server_stop(&server);
    world_stop(&w);
    sim_count(&w.sim);
    opened += server.opened;
    mixed += server.mixed;
    refused += server.refused;
}

static void test_bridge_links(void **state)
{
    const struct sim_totals *t = &sim_totals;

    (void)state;
    opened = mixed = refused = 0;
    if (!sim_run_seeds(run, TOTAL_STEPS))
        return;
    /* Or the runs have become too tame to prove anything. */
    assert_true(t->ends > 50000 && t->bytes > 500000000 && t->proper > 10000);
    assert_true(t->halves > 1000 && t->resets > 2000 && t->lost > 300 && t->stalled > 3);
    assert_true(opened > 10000 && mixed > 5000 && refused > 500);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bridge_links)};

    sim_arguments(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
