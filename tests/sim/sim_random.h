/* The chances of a simulation, and what it says when they show a fault; behind cmocka.h. */
#ifndef TESTS_SIM_SIM_RANDOM_H
#define TESTS_SIM_SIM_RANDOM_H

#include <stdbool.h>

static uint64_t seed, rng; /* link_ops.random has no context */

static inline void check(bool ok, const char *what)
{
    if (!ok)
        fail_msg("SIM_SEED=%llu: %s", (unsigned long long)seed, what);
}

static inline uint64_t any(uint64_t below)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng * 0x2545f4914f6cdd1du >> 20) % below;
}

static inline void random_bytes(void *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)any(256);
}

/* The byte at `pos` of a stream: no two streams agree for long. */
static inline uint8_t byte_at(uint64_t stream, uint64_t pos)
{
    return (uint8_t)((pos * 0x9e37 + (pos >> 8) + stream * 0x85eb) >> 3);
}

#endif
