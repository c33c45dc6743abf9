/* What all load programs share: time, errors, numbers. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>

#define MS_NS 1000000LL
#define SECOND_NS 1000000000LL

enum {
    BLOCK_SIZE = 64 * 1024, /* of one recv or send of bulk data */
};

int64_t now_ns(void);

/* Prints one line on standard error and ends with status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints one line on standard output at once: whoever started the program waits for it. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A decimal number from 0 to `max`; anything else ends the program, which names `what`. */
long number(const char *text, const char *what, long max);

/* What every program does first: no SIGPIPE, as many descriptors as the system lets it have. */
void prepare(void);

/* xorshift64*; the state is never 0. */
uint64_t random_next(uint64_t *state);

/* The same, from 0 (exclusive) to 1. */
double random_unit(uint64_t *state);

/* Returns at the end of standard input: whoever started the program needs it no longer. */
void wait_input_end(void);

#endif
