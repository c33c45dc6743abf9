/*
 * Tiny messages at a steady rate on many connections, one way.
 *
 *     trickle ROUTE CHANNELS RATE TICK_US MEASURE_MS
 *
 * Prints "open" when all channels are, waits for a line on standard input, sends for MEASURE_MS,
 * prints "sent N ns T" and keeps the channels until standard input ends: what happens in between
 * belongs to the messages alone. They have sixteen bytes, go to a channel picked at random, and
 * come with random (exponential) gaps; with TICK_US what is due within a tick leaves together at
 * its end.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "opening.h"

enum {
    CHANNELS_MAX = 10000,
    MESSAGE_SIZE = 16,
    NO_ACKS = '0' + 40,
};

struct trickle {
    struct conn *conns;
    size_t count;
    double gap_ns; /* on average */
    int64_t tick_ns;
    double due_ns;
    uint64_t random;
};

static void open_channels(struct trickle *t, const struct route *route)
{
    struct opening o = {.at_once = 64, .command_len = COMMAND_SIZE, .limit_ms = 30000};

    o.command[0] = OP_UP;
    o.command[1] = NO_ACKS;
    opening_all(&o, route, t->conns, t->count);
}

static void sleep_until(int64_t when)
{
    struct timespec t = {when / SECOND_NS, when % SECOND_NS};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void send_one(struct trickle *t)
{
    static const uint8_t message[MESSAGE_SIZE];
    struct conn *c = &t->conns[random_next(&t->random) % t->count];

    if (conn_send(c, message, sizeof(message)) != MESSAGE_SIZE)
        die("cannot send: %s", strerror(errno));
    t->due_ns -= t->gap_ns * log(random_unit(&t->random));
}

/* Returns how many were sent. */
static size_t run_until(struct trickle *t, int64_t end)
{
    size_t sent = 0;

    while ((int64_t)t->due_ns < end) {
        int64_t wake = (int64_t)t->due_ns;

        if (t->tick_ns)
            wake = (wake / t->tick_ns + 1) * t->tick_ns;
        sleep_until(wake);
        for (int64_t now = now_ns(); (int64_t)t->due_ns <= now; sent++)
            send_one(t);
    }
    return sent;
}

int main(int argc, char **argv)
{
    static struct conn conns[CHANNELS_MAX];
    struct trickle t = {.conns = conns, .random = 88172645463325252ULL};
    struct route route;
    int64_t begin;
    size_t sent;
    char ignored;

    if (argc != 6)
        die("usage: trickle ROUTE CHANNELS RATE TICK_US MEASURE_MS");
    prepare();
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    route_parse(&route, argv[1]);
    t.count = (size_t)number(argv[2], "CHANNELS", CHANNELS_MAX);
    t.gap_ns = 1e9 / (double)number(argv[3], "RATE", 10000000);
    t.tick_ns = number(argv[4], "TICK_US", 1000000) * 1000;
    open_channels(&t, &route);
    say("open");
    if (read(STDIN_FILENO, &ignored, 1) != 1)
        return 0;
    begin = now_ns();
    t.due_ns = (double)begin;
    sent = run_until(&t, begin + number(argv[5], "MEASURE_MS", 600000) * MS_NS);
    say("sent %zu ns %lld", sent, (long long)(now_ns() - begin));
    wait_input_end();
    return 0;
}
