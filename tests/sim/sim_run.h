/* Runs one seed after the other: `PROGRAM`, `PROGRAM SEED` for one alone, and WSP_SIM_STEPS=n for
 * as many seeds as n steps take. */
#ifndef TESTS_SIM_SIM_RUN_H
#define TESTS_SIM_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/sim_end.h"

/* Adds what a run had to the totals. */
void sim_count(const struct sim *s);

/* What all runs together had. */
extern struct sim_totals {
    uint64_t seeds, steps, ends, bytes, proper, halves, resets, lost, stalled, failed;
} sim_totals;

void sim_arguments(int argc, char **argv);

/* Calls `run` with each seed until there were `steps` steps. False when there were
 * fewer, as with one seed alone. */
bool sim_run_seeds(void (*run)(void), uint64_t steps);

#endif
