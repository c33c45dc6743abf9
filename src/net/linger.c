#include "net/linger.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINGERERS_MAX = 512, LINGER_US = 5000000, DROP_STEP = 16 * 1024, DROP_MAX = 256 * 1024 };

struct lingerer {
    struct loop_owned owned;
    struct wsp_loop *loop;
    struct watch watch;
    struct timer timer;
    size_t dropped;
};

static void lingerer_free(struct lingerer *g)
{
    int fd = g->watch.fd;

    watch_stop(g->loop, &g->watch);
    timer_clear(g->loop, &g->timer);
    loop_disown(g->loop, &g->owned);
    close(fd);
    free(g);
}

static void on_loop_end(struct loop_owned *o)
{
    lingerer_free(container_of(o, struct lingerer, owned));
}

static void on_timer(struct timer *t)
{
    lingerer_free(container_of(t, struct lingerer, timer));
}

/* Nothing of what was sent is on its way any more. */
static bool is_delivered(int fd)
{
    int unacked = 0;

    return ioctl(fd, SIOCOUTQ, &unacked) == 0 && unacked == 0;
}

/* One read per event, so that a peer who floods us takes turns with the others. One who goes on
 * sending after our end, and has all of what we sent, hears that nobody listens. */
static void on_event(struct watch *w, unsigned events)
{
    struct lingerer *g = container_of(w, struct lingerer, watch);
    char scratch[DROP_STEP];
    ssize_t n;

    (void)events;
    do
        n = recv(w->fd, scratch, sizeof(scratch), 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        g->dropped += (size_t)n;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) ||
        (g->dropped > DROP_MAX && is_delivered(w->fd)))
        lingerer_free(g);
}

void linger_start(struct wsp_loop *loop, int fd)
{
    struct lingerer *g = calloc(1, sizeof(*g));

    shutdown(fd, SHUT_WR);
    if (!g ||
        loop_owned_count(loop) >= LINGERERS_MAX) { /* no flood of strangers holds descriptors */
        free(g);
        close(fd);
        return;
    }
    g->loop = loop;
    g->watch = (struct watch){.fd = -1, .on_event = on_event};
    g->timer.fire = on_timer;
    g->owned.end = on_loop_end;
    if (watch_start(loop, &g->watch, fd, POLLER_READ | POLLER_LEVEL) != WSP_OK) {
        close(fd);
        free(g);
        return;
    }
    loop_own(loop, &g->owned);
    if (timer_set(loop, &g->timer, loop_now(loop) + LINGER_US) != WSP_OK)
        lingerer_free(g);
}
