/* The chances of a simulation, and what it says when they show a fault. One seed decides all. */
#ifndef TESTS_SIM_SIM_RANDOM_H
#define TESTS_SIM_SIM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern uint64_t sim_seed;
extern uint64_t sim_steps; /* of this seed, so far */

/* Begins the run of a seed. */
void sim_reseed(uint64_t seed);

uint64_t any(uint64_t below);

static inline bool one_in(uint64_t n)
{
    return any(n) == 0;
}

void random_bytes(void *out, size_t len);

/* Fails the test unless `ok`, with the seed that replays it. */
void check(bool ok, const char *what);

/* Zeroed; never NULL. A test that lets allocations fail spares those made here. */
void *sim_alloc(size_t len);

/* Not 0: this allocation is the simulation's own. Volatile, since compilers know calloc by name. */
extern volatile unsigned sim_allocating;

/* The bytes of endless streams: no two agree for long, nor does one with itself further on. */
void stream_fill(uint8_t *out, size_t len, uint64_t stream, uint64_t pos);
bool stream_matches(const uint8_t *in, size_t len, uint64_t stream, uint64_t pos);

#endif
