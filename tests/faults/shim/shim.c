#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DESCRIPTORS = 65536 };

static int64_t nothing[SHIM_SLOTS]; /* without a test */
static _Atomic(int64_t) *page = (_Atomic(int64_t) *)nothing;
static atomic_uint_fast64_t turn;

static struct watched {
    int epoll;
    struct epoll_event event; /* events 0: nobody watches it */
    size_t peeked;
} watched[DESCRIPTORS];

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0)
        return;
    map = mmap(NULL, sizeof(nothing), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        page = map;
}

int64_t shim_get(enum shim_slot slot)
{
    return atomic_load_explicit(&page[slot], memory_order_relaxed);
}

void shim_count(enum shim_slot slot)
{
    atomic_fetch_add(&page[slot], 1);
}

/* SplitMix64 of the seed and the number of the draw. */
uint64_t shim_random(void)
{
    uint64_t x = (uint64_t)shim_get(SHIM_SEED) + atomic_fetch_add(&turn, 1);

    x *= 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static bool comes_up(enum shim_slot per_mille)
{
    int64_t n = shim_get(per_mille);

    return n > 0 && (int64_t)(shim_random() % 1000) < n;
}

bool shim_interrupts(void)
{
    if (!comes_up(SHIM_EINTR))
        return false;
    shim_count(SHIM_DID_EINTR);
    errno = EINTR;
    return true;
}

bool shim_refuses(enum shim_call call)
{
    int64_t times;

    if (!shim_get(SHIM_FAIL_ERRNO) || !(shim_get(SHIM_FAIL_CALLS) & (1 << call)))
        return false;
    if (shim_get(SHIM_FAIL_AFTER) > 0 && atomic_fetch_sub(&page[SHIM_FAIL_AFTER], 1) > 0)
        return false;
    times = shim_get(SHIM_FAIL_TIMES);
    if (times == 0 || !comes_up(SHIM_FAIL_RATE))
        return false;
    if (times > 0)
        atomic_fetch_sub(&page[SHIM_FAIL_TIMES], 1);
    shim_count(SHIM_DID_FAIL);
    errno = (int)shim_get(SHIM_FAIL_ERRNO);
    return true;
}

void *shim_next(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);

    if (!f)
        abort();
    return f;
}

/* ---- edges */

static bool is_number(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS;
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    static int (*next)(int, int, int, struct epoll_event *);
    int result;

    if (!next)
        next = (int (*)(int, int, int, struct epoll_event *))shim_next("epoll_ctl");
    if (op != EPOLL_CTL_DEL && shim_refuses(SHIM_CALL_EPOLL_CTL))
        return -1;
    result = next(epoll, op, fd, event);
    if (result < 0 || !is_number(fd))
        return result;
    if (op == EPOLL_CTL_ADD)
        watched[fd].peeked = 0;
    watched[fd].epoll = epoll;
    watched[fd].event = op == EPOLL_CTL_DEL ? (struct epoll_event){.events = 0} : *event;
    return result;
}

void shim_edge(int fd)
{
    static int (*next)(int, int, int, struct epoll_event *);

    if (!next)
        next = (int (*)(int, int, int, struct epoll_event *))shim_next("epoll_ctl");
    if (is_number(fd) && (watched[fd].event.events & EPOLLET))
        next(watched[fd].epoll, EPOLL_CTL_MOD, fd, &watched[fd].event);
}

void shim_peeked(int fd, size_t len)
{
    if (is_number(fd))
        watched[fd].peeked = len;
}

size_t shim_peeked_len(int fd)
{
    return is_number(fd) ? watched[fd].peeked : 0;
}
