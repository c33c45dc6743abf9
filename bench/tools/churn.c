/*
 * Short connections, one after the other: open, one echo of 64 bytes, close.
 *
 *     churn ROUTE COUNT AT_ONCE LIMIT_MS
 *
 * Prints "done N failed N ns T" when COUNT were made or LIMIT_MS have passed.
 */
#include <string.h>
#include <sys/epoll.h>

#include "load.h"
#include "opening.h"

enum {
    AT_ONCE_MAX = 1024,
    MESSAGE_SIZE = 64,
    EVENTS = 64,
};

struct churn {
    struct route route;
    struct opening opening;
    size_t count, started, done, failed;
    int epoll;
};

static void start(struct churn *u, struct conn *c)
{
    while (u->started < u->count) {
        u->started++;
        if (conn_start(c, &u->route, u->epoll))
            return;
        u->failed++;
    }
}

static void go_on(struct churn *u, struct conn *c)
{
    enum conn_step step = opening_step(&u->opening, c);

    if (step == CONN_WAIT)
        return;
    if (step == CONN_DONE)
        u->done++;
    else
        u->failed++;
    conn_close(c);
    start(u, c);
}

static void run(struct churn *u, struct conn *conns, int64_t deadline)
{
    struct epoll_event events[EVENTS];

    for (size_t i = 0; i < u->opening.at_once; i++)
        start(u, &conns[i]);
    while (u->done + u->failed < u->count && now_ns() < deadline) {
        int n = epoll_wait(u->epoll, events, EVENTS, 100);

        for (int i = 0; i < n; i++)
            go_on(u, events[i].data.ptr);
    }
}

int main(int argc, char **argv)
{
    static struct conn conns[AT_ONCE_MAX];
    struct churn churn = {0};
    int64_t begin;

    if (argc != 5)
        die("usage: churn ROUTE COUNT AT_ONCE LIMIT_MS");
    prepare();
    route_parse(&churn.route, argv[1]);
    churn.count = (size_t)number(argv[2], "COUNT", 10000000);
    churn.opening.at_once = (size_t)number(argv[3], "AT_ONCE", AT_ONCE_MAX);
    memcpy(churn.opening.command, "E0", COMMAND_SIZE);
    churn.opening.command_len = COMMAND_SIZE + MESSAGE_SIZE;
    churn.opening.answer_len = MESSAGE_SIZE;
    churn.epoll = new_epoll();
    begin = now_ns();
    run(&churn, conns, begin + number(argv[4], "LIMIT_MS", 600000) * MS_NS);
    say("done %zu failed %zu ns %lld", churn.done, churn.failed, (long long)(now_ns() - begin));
    return 0;
}
