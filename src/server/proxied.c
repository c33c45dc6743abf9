#include "server/proxied.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/proxy_header.h"
#include "server/front.h"

struct proxied {
    struct list node; /* on server->proxied */
    struct server *server;
    struct watch watch; /* its descriptor is owned */
    struct timer timer; /* for the header */
    struct address sender;
};

/* Frees it, but for the place in the listener; returns the descriptor. */
static int release(struct proxied *p)
{
    int fd = p->watch.fd;

    watch_stop(p->server->loop, &p->watch);
    timer_clear(p->server->loop, &p->timer);
    list_remove(&p->node);
    free(p);
    return fd;
}

static void end(struct proxied *p)
{
    struct server *s = p->server;

    close(release(p));
    listener_release(&s->listener);
}

static void fail(struct proxied *p, const char *why)
{
    struct server *s = p->server;
    char text[ADDRESS_TEXT_MAX];

    if (log_limit_ok(&s->noise, loop_now(s->loop))) {
        address_text(&p->sender, text);
        log_info(loop_log(s->loop), "front %s: closed: %s", text, why);
    }
    end(p);
}

static void pass_on(struct proxied *p, const struct proxy_header *h)
{
    struct server *s = p->server;
    struct address peer = p->sender, local = {.len = 0};

    if (h->known) {
        peer = address_of_ip_port(&h->from);
        local = address_of_ip_port(&h->to);
    }
    front_accept(s, release(p), &peer, &local);
}

static ssize_t receive(int fd, void *out, size_t cap, int flags)
{
    ssize_t n;

    do
        n = recv(fd, out, cap, flags);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Only looks at the bytes until all of the header is there: those behind it are not ours. */
static void read_header(struct proxied *p, bool hangup)
{
    int fd = p->watch.fd;
    uint8_t bytes[PROXY_HEADER_MAX];
    ssize_t n = receive(fd, bytes, sizeof(bytes), MSG_PEEK);
    struct slice in = slice_of(bytes, n > 0 ? (size_t)n : 0);
    struct proxy_header h;
    size_t len;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) { /* a check whether we listen, most likely */
        end(p);
        return;
    }
    switch (proxy_header_parse(&in, &h)) {
    case WSP_OK:
        len = (size_t)n - in.len;
        if (receive(fd, bytes, len, 0) == (ssize_t)len)
            pass_on(p, &h);
        else
            fail(p, "its PROXY header cannot be read");
        break;
    case WSP_ERR_MORE:
        if (hangup)
            fail(p, "it ends within its PROXY header");
        break;
    case WSP_ERR_LIMIT:
        fail(p, "its PROXY header is too long");
        break;
    default:
        fail(p, "it does not begin with a PROXY header");
    }
}

static void on_event(struct watch *w, unsigned events)
{
    read_header(container_of(w, struct proxied, watch), events & POLLER_HANGUP);
}

static void on_timer(struct timer *t)
{
    fail(container_of(t, struct proxied, timer), "no PROXY header in time");
}

void proxied_accept(struct server *s, int fd, const struct address *sender)
{
    struct proxied *p = calloc(1, sizeof(*p));
    uint64_t due_us = loop_now(s->loop) + s->config->time.handshake_us;

    if (p)
        *p = (struct proxied){.server = s, .sender = *sender, .watch.on_event = on_event};
    if (!p || watch_start(s->loop, &p->watch, fd, POLLER_READ) != WSP_OK) {
        close(fd);
        listener_release(&s->listener);
        free(p);
        return;
    }
    p->timer.fire = on_timer;
    list_push(&s->proxied, &p->node);
    if (timer_set(s->loop, &p->timer, due_us) != WSP_OK)
        end(p);
}

void proxied_end_all(struct server *s)
{
    while (!list_empty(&s->proxied))
        end(container_of(s->proxied.next, struct proxied, node));
}
