/*
 * Round trips of 64 bytes on one connection.
 *
 *     ping ROUTE WARM_MS MEASURE_MS GAP_US
 *
 * GAP_US lie between an answer and the next question. Prints "count N p50 NS p99 NS max NS".
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "load.h"
#include "opening.h"

enum {
    MESSAGE_SIZE = 64,
    SAMPLES_MAX = 4000000,
    ANSWER_MS = 30000,
};

static int64_t round_trip(struct conn *c)
{
    static const uint8_t message[MESSAGE_SIZE];
    struct pollfd event = {.fd = c->fd, .events = POLLIN};
    int64_t begin = now_ns();

    if (conn_send(c, message, sizeof(message)) != MESSAGE_SIZE)
        die("cannot send: %s", strerror(errno));
    for (ssize_t left = MESSAGE_SIZE; left > 0;) {
        if (poll(&event, 1, ANSWER_MS) != 1)
            die("no answer after %d ms", ANSWER_MS);
        ssize_t n = conn_recv(c);

        if (n == 0 || (n < 0 && errno != EAGAIN))
            die("the connection ended");
        if (n > 0)
            left -= n;
    }
    return now_ns() - begin;
}

static size_t run(struct conn *c, int64_t *samples, int64_t duration_ns, long gap_us)
{
    struct timespec gap = {gap_us / 1000000, gap_us % 1000000 * 1000};
    int64_t end = now_ns() + duration_ns;
    size_t count = 0;

    while (now_ns() < end && count < SAMPLES_MAX) {
        samples[count++] = round_trip(c);
        if (gap_us)
            nanosleep(&gap, NULL);
    }
    return count;
}

static int ascending(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    static int64_t samples[SAMPLES_MAX];
    struct opening opening = {.at_once = 1, .command_len = COMMAND_SIZE, .limit_ms = 30000};
    struct route route;
    struct conn conn;
    size_t count;
    long gap_us;

    if (argc != 5)
        die("usage: ping ROUTE WARM_MS MEASURE_MS GAP_US");
    prepare();
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    route_parse(&route, argv[1]);
    gap_us = number(argv[4], "GAP_US", 10000000);
    memcpy(opening.command, "E0", COMMAND_SIZE);
    opening_all(&opening, &route, &conn, 1);
    run(&conn, samples, number(argv[2], "WARM_MS", 600000) * MS_NS, gap_us);
    count = run(&conn, samples, number(argv[3], "MEASURE_MS", 600000) * MS_NS, gap_us);
    if (!count)
        die("no round trip");
    qsort(samples, count, sizeof(*samples), ascending);
    say("count %zu p50 %lld p99 %lld max %lld", count, (long long)samples[count / 2],
        (long long)samples[count * 99 / 100], (long long)samples[count - 1]);
    return 0;
}
