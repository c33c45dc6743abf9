#include "sim/sim_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/sim_random.h"

struct sim_totals sim_totals;

static const char *only;

void sim_arguments(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
}

void sim_count(const struct sim *s)
{
    sim_totals.ends += s->ends;
    sim_totals.bytes += s->delivered;
    sim_totals.proper += s->proper;
    sim_totals.halves += s->halves;
    sim_totals.resets += s->resets;
    sim_totals.lost += s->lost;
    sim_totals.stalled += s->stalled;
    sim_totals.failed += s->failed;
}

static void print_totals(void)
{
    const struct sim_totals *t = &sim_totals;

    print_message("%llu steps of %llu seeds, %llu MiB\n", (unsigned long long)t->steps,
                  (unsigned long long)t->seeds, (unsigned long long)t->bytes >> 20);
    print_message("%llu ends: %llu streams complete (%llu half-closes), %llu reset, %llu lost, "
                  "%llu stalled, %llu refused\n",
                  (unsigned long long)t->ends, (unsigned long long)t->proper,
                  (unsigned long long)t->halves, (unsigned long long)t->resets,
                  (unsigned long long)t->lost, (unsigned long long)t->stalled,
                  (unsigned long long)t->failed);
}

bool sim_run_seeds(void (*run)(void), uint64_t steps)
{
    const char *longer = getenv("WSP_SIM_STEPS");
    uint64_t seed = only ? strtoull(only, NULL, 10) : 0;
    uint64_t wanted = longer ? strtoull(longer, NULL, 10) : steps;

    sim_totals = (struct sim_totals){0};
    do {
        sim_reseed(seed++);
        run();
        sim_totals.seeds++;
        sim_totals.steps += sim_steps;
    } while (!only && sim_totals.steps < wanted);
    print_totals();
    return sim_totals.steps >= steps;
}
