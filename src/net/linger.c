#include "net/linger.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/guest.h"

enum {
    LINGERERS_MAX = 512,
    LINGER_US = 5000000,
    REST_US = 60000000,
    DROP_STEP = 16 * 1024,
    DROP_MAX = 256 * 1024,
};

struct lingerer {
    struct loop_owned owned;
    struct wsp_loop *loop;
    struct watch watch;
    struct timer timer;
    struct buf rest; /* to be sent yet */
    size_t dropped;
    struct wsp_guest *guest; /* whose descriptor was lent; NULL: it is ours */
};

void linger_end(struct lingerer *g)
{
    int fd = g->watch.fd;

    watch_stop(g->loop, &g->watch);
    timer_clear(g->loop, &g->timer);
    loop_disown(g->loop, &g->owned);
    buf_fini(&g->rest);
    close(fd);
    guest_end(g->guest, false);
    free(g);
}

static void on_loop_end(struct loop_owned *o)
{
    linger_end(container_of(o, struct lingerer, owned));
}

static void on_timer(struct timer *t)
{
    linger_end(container_of(t, struct lingerer, timer));
}

/* Nothing of what was sent is on its way any more. */
static bool is_delivered(int fd)
{
    int unacked = 0;

    return ioctl(fd, SIOCOUTQ, &unacked) == 0 && unacked == 0;
}

/* Sends what the socket takes. False when the connection is broken. */
static bool send_rest(struct lingerer *g)
{
    while (g->rest.len) {
        struct slice rest = buf_slice(&g->rest);
        ssize_t n = send(g->watch.fd, rest.p, rest.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        buf_consume(&g->rest, (size_t)n);
        if (timer_set(g->loop, &g->timer, loop_now(g->loop) + REST_US) != WSP_OK)
            return false;
    }
    return true;
}

/* All is sent: our end goes out, and the peer's is waited for. */
static bool end_ours(struct lingerer *g)
{
    shutdown(g->watch.fd, SHUT_WR);
    return watch_modify(g->loop, &g->watch, POLLER_READ | POLLER_LEVEL) == WSP_OK &&
           timer_set(g->loop, &g->timer, loop_now(g->loop) + LINGER_US) == WSP_OK;
}

/* One read per event, so that a peer who floods us takes turns with the others. One who goes on
 * sending after our end, and has all of what we sent, hears that nobody listens. */
static bool drop_input(struct lingerer *g)
{
    char scratch[DROP_STEP];
    ssize_t n;

    do
        n = recv(g->watch.fd, scratch, sizeof(scratch), 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        g->dropped += (size_t)n;
    return (n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))) &&
           (g->dropped <= DROP_MAX || !is_delivered(g->watch.fd));
}

static void on_event(struct watch *w, unsigned events)
{
    struct lingerer *g = container_of(w, struct lingerer, watch);
    bool goes_on;

    if (g->rest.len)
        goes_on = !(events & POLLER_BROKEN) && send_rest(g) && (g->rest.len || end_ours(g));
    else
        goes_on = drop_input(g);
    if (!goes_on)
        linger_end(g);
}

/* Takes the descriptor and the rest, also on failure. */
static struct lingerer *lingerer_new(struct wsp_loop *loop, int fd, struct buf rest,
                                     struct wsp_guest *guest)
{
    struct lingerer *g = calloc(1, sizeof(*g));
    /* What the socket does not take yet is waited for by its edges: the peer's end, which lasts,
     * would be reported again and again. */
    unsigned interest = rest.len ? POLLER_WRITE : POLLER_READ | POLLER_LEVEL;

    if (loop_owned_count(loop) >= LINGERERS_MAX) /* or strangers could hold descriptors */
        loop_end_oldest(loop);
    if (g) {
        g->loop = loop;
        g->watch = (struct watch){.fd = -1, .on_event = on_event};
        g->timer.fire = on_timer;
        g->owned.end = on_loop_end;
        g->rest = rest;
        g->guest = guest;
        if (watch_start(loop, &g->watch, fd, interest) == WSP_OK)
            return g;
    }
    buf_fini(&rest);
    free(g);
    close(fd);
    guest_end(guest, false);
    return NULL;
}

static void start(struct wsp_loop *loop, int fd, struct buf rest, struct wsp_guest *guest)
{
    uint64_t time_us = rest.len ? REST_US : LINGER_US;
    struct lingerer *g;

    if (!rest.len)
        shutdown(fd, SHUT_WR);
    g = lingerer_new(loop, fd, rest, guest);
    if (!g)
        return;
    if (guest)
        guest->lingerer = g;
    loop_own(loop, &g->owned);
    if (timer_set(loop, &g->timer, loop_now(loop) + time_us) != WSP_OK)
        linger_end(g);
}

void linger_start(struct wsp_loop *loop, int fd, struct buf rest)
{
    start(loop, fd, rest, NULL);
}

void linger_start_lent(struct wsp_loop *loop, int fd, struct wsp_guest *guest)
{
    struct buf nothing;

    buf_init(&nothing);
    start(loop, fd, nothing, guest);
}
