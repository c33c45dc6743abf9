/*
 * A library that is preloaded into a daemon and spoils its system calls as a test wants. The test
 * writes numbers into one shared page (the file that the variable FAULTS names), and reads from it
 * what was done; tests/faults/shim.py has the names of the slots from here.
 */
#ifndef TESTS_FAULTS_SHIM_H
#define TESTS_FAULTS_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum shim_slot {
    SHIM_SEED,         /* the schedule: the same one spoils the same calls */
    SHIM_SHORT,        /* per mille of reads and writes of streams that move a part only */
    SHIM_SHORT_FROM,   /* ... of those of at least so many bytes */
    SHIM_EINTR,        /* per mille of calls that a signal interrupts */
    SHIM_FAIL_ERRNO,   /* what those in SHIM_FAIL_CALLS fail with; 0: none does */
    SHIM_FAIL_CALLS,   /* bits, 1 << enum shim_call */
    SHIM_FAIL_AFTER,   /* so many of them go well first; counts down */
    SHIM_FAIL_TIMES,   /* then so many fail, -1: all; counts down */
    SHIM_FAIL_RATE,    /* per mille of those that fail when it is their turn */
    SHIM_DISK_FULL,    /* not 0: files take one half of a write, then nothing (ENOSPC) */
    SHIM_REALTIME_MS,  /* how far CLOCK_REALTIME is off */
    SHIM_MONOTONIC_MS, /* how far CLOCK_MONOTONIC has leapt ahead */
    SHIM_DNS_PORT,     /* not 0: where port 53 is */
    SHIM_DID_SHORT,    /* what was done */
    SHIM_DID_EINTR,
    SHIM_DID_FAIL,
    SHIM_DID_FULL,
    SHIM_DID_LEAP,
    SHIM_SLOTS
};

enum shim_call {
    SHIM_CALL_SOCKET,
    SHIM_CALL_ACCEPT,
    SHIM_CALL_OPEN,
    SHIM_CALL_EPOLL_CREATE,
    SHIM_CALL_EPOLL_CTL,
    SHIM_CALL_EVENTFD,
    SHIM_CALL_TIMERFD,
    SHIM_CALL_SIGNALFD,
    SHIM_CALL_CONNECT,
    SHIM_CALL_SEND,
    SHIM_CALL_RECV,
};

int64_t shim_get(enum shim_slot slot);

uint64_t shim_random(void);

/* Whether this call is interrupted: errno is EINTR then. */
bool shim_interrupts(void);

/* Whether this call fails: errno says how. */
bool shim_refuses(enum shim_call call);

void shim_count(enum shim_slot slot);

/* The next definition of a function that we have defined ourselves. */
void *shim_next(const char *name);

/* ---- descriptors that an epoll set watches for edges */

/* More has come, or there is room again: what a peer's next segment would have said. */
void shim_edge(int fd);

/* What was looked at (MSG_PEEK) is there, and can be read in one piece. */
void shim_peeked(int fd, size_t len);
size_t shim_peeked_len(int fd);

#endif
