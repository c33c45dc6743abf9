#include "opening.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

enum {
    EVENTS = 64,
};

int new_epoll(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0)
        die("epoll_create1: %s", strerror(errno));
    return epoll;
}

enum conn_step opening_step(const struct opening *o, struct conn *c)
{
    if (c->state != CONN_OPEN) {
        enum conn_step step = conn_handshake(c);

        if (step != CONN_DONE)
            return step;
        if (conn_send(c, o->command, o->command_len) != (ssize_t)o->command_len)
            return CONN_FAILED;
        return o->answer_len ? CONN_WAIT : CONN_DONE;
    }
    ssize_t n = conn_recv(c);

    if (n <= 0)
        return n < 0 && errno == EAGAIN ? CONN_WAIT : CONN_FAILED;
    c->counted += (size_t)n;
    return c->counted < o->answer_len ? CONN_WAIT : CONN_DONE;
}

struct progress {
    size_t started, done, count;
};

static void start_more(const struct opening *o, const struct route *r, struct conn *conns,
                       struct progress *p, int epoll)
{
    while (p->started < p->count && p->started - p->done < o->at_once) {
        if (!conn_start(&conns[p->started], r, epoll))
            die("connection %zu of %zu: %s", p->started + 1, p->count, strerror(errno));
        p->started++;
    }
}

void opening_all(const struct opening *o, const struct route *r, struct conn *conns, size_t count)
{
    struct progress p = {.count = count};
    struct epoll_event events[EVENTS];
    int64_t deadline = now_ns() + o->limit_ms * MS_NS;
    int epoll = new_epoll();

    while (p.done < count) {
        start_more(o, r, conns, &p, epoll);
        int n = epoll_wait(epoll, events, EVENTS, 100);

        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            enum conn_step step = opening_step(o, c);

            if (step == CONN_FAILED)
                die("connection %zu of %zu failed", (size_t)(c - conns) + 1, count);
            if (step == CONN_DONE) {
                conn_watch(c, 0);
                p.done++;
            }
        }
        if (now_ns() > deadline)
            die("%zu of %zu connections open after %d ms", p.done, count, o->limit_ms);
    }
    for (size_t i = 0; i < count; i++)
        conn_leave(&conns[i]);
    close(epoll);
}
