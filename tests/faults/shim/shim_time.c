/*
 * Clocks that jump, and waits that a signal interrupts. When the monotonic clock leaps ahead, the
 * timers that are overtaken expire: a wait looks for that often enough.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#include "shim.h"

enum { LOOK_MS = 20, TIMERS = 8 };

#define NEXT(result, name, ...)         \
    static result (*next)(__VA_ARGS__); \
    if (!next)                          \
    next = (result(*)(__VA_ARGS__))shim_next(name)

static int64_t shift_of(clockid_t clock)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return shim_get(SHIM_REALTIME_MS);
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        return shim_get(SHIM_MONOTONIC_MS);
    default:
        return 0;
    }
}

static struct timespec shifted(struct timespec t, int64_t ms)
{
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;

    t.tv_sec += (time_t)(ms / 1000);
    if (ns < 0 || ns >= 1000000000) {
        t.tv_sec += ns < 0 ? -1 : 1;
        ns += ns < 0 ? 1000000000 : -1000000000;
    }
    t.tv_nsec = (long)ns;
    return t;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    NEXT(int, "clock_gettime", clockid_t, struct timespec *);
    int result = next(clock, out);
    int64_t ms = shift_of(clock);

    if (result == 0 && ms)
        *out = shifted(*out, ms);
    return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);

    (void)zone;
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return result;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* ---- timers */

static struct timer {
    int fd;
    struct itimerspec spec; /* absolute, in the daemon's own time */
} timers[TIMERS];
static size_t timer_count;
static int64_t leapt_ms;

static int settime(int fd, const struct itimerspec *spec, struct itimerspec *old)
{
    NEXT(int, "timerfd_settime", int, int, const struct itimerspec *, struct itimerspec *);
    struct itimerspec real = *spec;

    if (real.it_value.tv_sec || real.it_value.tv_nsec)
        real.it_value = shifted(real.it_value, -leapt_ms);
    if (real.it_value.tv_sec < 0)
        real.it_value = (struct timespec){.tv_nsec = 1};
    return next(fd, TFD_TIMER_ABSTIME, &real, old);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *spec, struct itimerspec *old)
{
    NEXT(int, "timerfd_settime", int, int, const struct itimerspec *, struct itimerspec *);
    size_t i = 0;

    if (!(flags & TFD_TIMER_ABSTIME))
        return next(fd, flags, spec, old);
    while (i < timer_count && timers[i].fd != fd)
        i++;
    if (i == timer_count && timer_count < TIMERS)
        timer_count++;
    if (i < TIMERS)
        timers[i] = (struct timer){fd, *spec};
    leapt_ms = shim_get(SHIM_MONOTONIC_MS);
    return settime(fd, spec, old);
}

static void look(void)
{
    if (leapt_ms == shim_get(SHIM_MONOTONIC_MS))
        return;
    leapt_ms = shim_get(SHIM_MONOTONIC_MS);
    shim_count(SHIM_DID_LEAP);
    for (size_t i = 0; i < timer_count; i++)
        settime(timers[i].fd, &timers[i].spec, NULL);
}

/* ---- waiting */

/* How long to wait now, of `*left_ms` (-1: without end). */
static int step_of(int *left_ms)
{
    int step = *left_ms < 0 || *left_ms > LOOK_MS ? LOOK_MS : *left_ms;

    look();
    if (*left_ms > 0)
        *left_ms -= step;
    return step;
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    NEXT(int, "poll", struct pollfd *, nfds_t, int);
    int n;

    if (shim_interrupts())
        return -1;
    do
        n = next(fds, count, step_of(&timeout_ms));
    while (n == 0 && timeout_ms != 0);
    return n;
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room)
{
    (void)room;
    return poll(fds, count, timeout_ms);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    NEXT(int, "ppoll", struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

    return shim_interrupts() ? -1 : next(fds, count, timeout, mask);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
    NEXT(int, "epoll_wait", int, struct epoll_event *, int, int);
    int n;

    if (shim_interrupts())
        return -1;
    do
        n = next(epoll, events, max, step_of(&timeout_ms));
    while (n == 0 && timeout_ms != 0);
    return n;
}
