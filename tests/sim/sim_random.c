#include "sim/sim_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    PERIOD = 65521
}; /* bytes after which a stream repeats: prime, so nothing is aligned to it */

uint64_t sim_seed, sim_steps;
volatile unsigned sim_allocating;

static uint64_t rng;
static uint8_t pattern[PERIOD];

void sim_reseed(uint64_t seed)
{
    sim_seed = seed;
    sim_steps = 0;
    rng = (seed + 1) * 0x9e3779b97f4a7c15u;
}

uint64_t any(uint64_t below)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng * 0x2545f4914f6cdd1du >> 20) % below;
}

void random_bytes(void *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)any(256);
}

void check(bool ok, const char *what)
{
    if (!ok)
        fail_msg("seed %llu, step %llu: %s (replay: this program with the seed as argument)",
                 (unsigned long long)sim_seed, (unsigned long long)sim_steps, what);
}

void *sim_alloc(size_t len)
{
    void *p;

    sim_allocating++;
    p = calloc(1, len);
    sim_allocating--;
    check(p, "out of memory");
    return p;
}

static void pattern_make(void)
{
    uint32_t x = 1;

    for (size_t i = 0; i < PERIOD; i++) {
        x = x * 1664525 + 1013904223;
        pattern[i] = (uint8_t)(x >> 24);
    }
}

/* The part of the pattern from where `pos` of the stream is to its end. */
static size_t pattern_from(uint64_t stream, uint64_t pos, const uint8_t **at)
{
    size_t start = (size_t)((stream * 7919 + pos) % PERIOD);

    if (!pattern[0] && !pattern[1])
        pattern_make();
    *at = pattern + start;
    return PERIOD - start;
}

void stream_fill(uint8_t *out, size_t len, uint64_t stream, uint64_t pos)
{
    while (len) {
        const uint8_t *from;
        size_t n = pattern_from(stream, pos, &from);

        n = n < len ? n : len;
        memcpy(out, from, n);
        out += n;
        pos += n;
        len -= n;
    }
}

bool stream_matches(const uint8_t *in, size_t len, uint64_t stream, uint64_t pos)
{
    while (len) {
        const uint8_t *at;
        size_t n = pattern_from(stream, pos, &at);

        n = n < len ? n : len;
        if (memcmp(in, at, n) != 0)
            return false;
        in += n;
        pos += n;
        len -= n;
    }
    return true;
}
