/*
 * Bulk data on one or more streams.
 *
 *     bulk ROUTE down|up STREAMS STALLED WARM_MS MEASURE_MS ACK_SHIFT
 *
 * STALLED more streams ask for data and never read. When all are open, those last, and WARM_MS have
 * passed, "measuring" is printed, and after MEASURE_MS "bytes N ns T". Uploads are counted by the
 * server: it answers one byte for every 2^ACK_SHIFT bytes that have arrived.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "load.h"
#include "opening.h"

enum {
    STREAMS_MAX = 1024,
    EVENTS = 64,
    OPEN_MS = 15000,
    STALLED_RECEIVE_BYTES = 64 * 1024,
};

struct load {
    struct route route;
    int up;
    int epoll;
    int shift;
    uint64_t bytes;
};

static void open_streams(struct load *l, struct conn *conns, size_t count)
{
    struct opening o = {.at_once = 64, .command_len = COMMAND_SIZE, .limit_ms = OPEN_MS};

    o.command[0] = l->up ? OP_UP : OP_DOWN;
    o.command[1] = (uint8_t)('0' + l->shift);
    opening_all(&o, &l->route, conns, count);
    for (size_t i = 0; i < count; i++)
        conn_join(&conns[i], l->epoll, l->up ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void open_stalled(const struct load *l, struct conn *conns, size_t count)
{
    struct opening o = {.at_once = 64, .command_len = COMMAND_SIZE, .limit_ms = OPEN_MS};
    static struct route route;

    route = l->route;
    route.receive_bytes = STALLED_RECEIVE_BYTES;
    memcpy(o.command, "D0", COMMAND_SIZE);
    opening_all(&o, &route, conns, count);
}

static void read_some(struct load *l, struct conn *c)
{
    ssize_t n = conn_recv(c);

    if (n == 0 || (n < 0 && errno != EAGAIN))
        die("a stream ended: %s", n ? strerror(errno) : "end of data");
    if (n > 0)
        l->bytes += l->up ? (uint64_t)n << l->shift : (uint64_t)n;
}

static void write_some(struct conn *c)
{
    static const uint8_t block[BLOCK_SIZE];

    if (conn_send(c, block, sizeof(block)) < 0 && errno != EAGAIN)
        die("a stream ended: %s", strerror(errno));
}

static void turn(struct load *l, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(l->epoll, events, EVENTS, timeout_ms);

    for (int i = 0; i < n; i++) {
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            read_some(l, events[i].data.ptr);
        if (events[i].events & EPOLLOUT)
            write_some(events[i].data.ptr);
    }
}

/* Returns the time at which it stopped. */
static int64_t run_until(struct load *l, int64_t end)
{
    int64_t now = now_ns();

    while (now < end) {
        turn(l, (int)((end - now) / MS_NS) + 1);
        now = now_ns();
    }
    return now;
}

int main(int argc, char **argv)
{
    static struct conn streams[STREAMS_MAX], stalled[STREAMS_MAX];
    struct load load = {0};
    int64_t begin, end;

    if (argc != 8)
        die("usage: bulk ROUTE down|up STREAMS STALLED WARM_MS MEASURE_MS ACK_SHIFT");
    prepare();
    route_parse(&load.route, argv[1]);
    load.up = strcmp(argv[2], "up") == 0;
    load.shift = (int)number(argv[7], "ACK_SHIFT", 40);
    load.epoll = new_epoll();
    open_streams(&load, streams, (size_t)number(argv[3], "STREAMS", STREAMS_MAX));
    open_stalled(&load, stalled, (size_t)number(argv[4], "STALLED", STREAMS_MAX));
    begin = run_until(&load, now_ns() + number(argv[5], "WARM_MS", 600000) * MS_NS);
    load.bytes = 0;
    say("measuring");
    end = run_until(&load, begin + number(argv[6], "MEASURE_MS", 600000) * MS_NS);
    say("bytes %llu ns %lld", (unsigned long long)load.bytes, (long long)(end - begin));
    return 0;
}
