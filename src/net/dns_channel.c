#include "net/dns_channel.h"

#include <stdlib.h>
#include <sys/time.h>

enum { TRIES = 2 };

/* c-ares opens, closes and reads the descriptor; here it is only watched. */
struct dns_socket {
    struct list node;
    struct watch watch;
    struct dns_channel *channel; /* borrowed */
};

/*
 * The timer may fire too early, which costs a wake-up; it is never late. That saves asking
 * ares_timeout, which walks all queries, at every question.
 */
static enum wsp_err arm(struct dns_channel *c)
{
    uint64_t due = loop_now(c->loop) + c->timeout_us;

    if (timer_is_set(&c->timer) && c->timer.due_us <= due)
        return WSP_OK;
    return timer_set(c->loop, &c->timer, due);
}

/* After c-ares has worked; may free the channel. */
static void settle(struct dns_channel *c)
{
    if (c->pending > 0) {
        (void)arm(c);
        return;
    }
    timer_clear(c->loop, &c->timer);
    if (c->retired)
        dns_channel_free(c);
}

static void on_timer(struct timer *t)
{
    struct dns_channel *c = container_of(t, struct dns_channel, timer);
    struct timeval tv;

    ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    /* A millisecond more, so that the clock of c-ares is past it too. */
    if (c->pending > 0 && ares_timeout(c->ares, NULL, &tv))
        (void)timer_set(c->loop, t,
                        loop_now(c->loop) + (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec +
                            1000);
    settle(c);
}

static void on_socket(struct watch *w, unsigned events)
{
    struct dns_socket *s = container_of(w, struct dns_socket, watch);
    struct dns_channel *c = s->channel;
    int fd = w->fd;
    bool readable = events & (POLLER_READ | POLLER_HANGUP);
    bool writable = events & POLLER_WRITE;

    /* `s` may be gone afterwards. */
    ares_process_fd(c->ares, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
    settle(c);
}

static struct dns_socket *find_socket(struct dns_channel *c, int fd)
{
    struct list *pos, *tmp;

    list_each (pos, tmp, &c->sockets) {
        struct dns_socket *s = container_of(pos, struct dns_socket, node);

        if (s->watch.fd == fd)
            return s;
    }
    return NULL;
}

static void drop_socket(struct dns_socket *s)
{
    watch_stop(s->channel->loop, &s->watch);
    list_remove(&s->node);
    free(s);
}

/* When it fails, the query on this socket ends by its time-out. */
static void add_socket(struct dns_channel *c, int fd, unsigned interest)
{
    struct dns_socket *s = calloc(1, sizeof(*s));

    if (!s)
        return;
    s->channel = c;
    s->watch = (struct watch){.fd = -1, .on_event = on_socket};
    list_init(&s->node);
    if (watch_start(c->loop, &s->watch, fd, interest) == WSP_OK)
        list_push(&c->sockets, &s->node);
    else
        free(s);
}

static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct dns_channel *c = data;
    struct dns_socket *s = find_socket(c, fd);
    unsigned interest =
        POLLER_LEVEL | (readable ? POLLER_READ : 0u) | (writable ? POLLER_WRITE : 0u);

    if (!readable && !writable) {
        if (s)
            drop_socket(s);
    } else if (!s) {
        add_socket(c, fd, interest);
    } else {
        (void)watch_modify(c->loop, &s->watch, interest);
    }
}

static int start_ares(struct dns_channel *c, const struct dns_channel_options *opt)
{
    char lookups[] = "b"; /* DNS only, whatever nsswitch.conf says */
    struct ares_options options = {
        .timeout = (int)opt->timeout_ms,
        .tries = TRIES,
        .lookups = lookups,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = c,
        .resolvconf_path = (char *)opt->resolv_conf,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_RESOLVCONF;
    int status;

    /* ares_getaddrinfo does not look at ARES_FLAG_NOSEARCH, but it can be given no domains. */
    if (!opt->search)
        mask |= ARES_OPT_DOMAINS;
    status = ares_init_options(&c->ares, &options, mask);
    if (status == ARES_SUCCESS && opt->servers)
        status = ares_set_servers_ports_csv(c->ares, opt->servers);
    return status;
}

struct dns_channel *dns_channel_new(struct wsp_loop *loop, const struct dns_channel_options *opt)
{
    struct dns_channel *c = calloc(1, sizeof(*c));
    int status;

    if (!c)
        return NULL;
    c->loop = loop;
    c->timer.fire = on_timer;
    c->timeout_us = (uint64_t)opt->timeout_ms * 1000;
    list_init(&c->node);
    list_init(&c->sockets);
    status = start_ares(c, opt);
    if (status == ARES_SUCCESS)
        return c;
    log_error(loop_log(loop), "resolver: %s", ares_strerror(status));
    dns_channel_free(c);
    return NULL;
}

enum wsp_err dns_channel_ask(struct dns_channel *c, const char *name, int family,
                             ares_addrinfo_callback callback, void *arg)
{
    /* No sorting: it would undo the servers' rotation, and the dialer races what it gets. */
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT, .ai_family = family, .ai_socktype = SOCK_STREAM};

    if (arm(c) != WSP_OK)
        return WSP_ERR_NOMEM;
    c->pending++;
    ares_getaddrinfo(c->ares, name, NULL, &hints, callback, arg);
    return WSP_OK;
}

void dns_channel_answered(struct dns_channel *c)
{
    c->pending--;
}

void dns_channel_retire(struct dns_channel *c)
{
    c->retired = true;
    if (c->pending == 0)
        dns_channel_free(c);
}

void dns_channel_free(struct dns_channel *c)
{
    if (!c)
        return;
    timer_clear(c->loop, &c->timer);
    if (c->ares)
        ares_destroy(c->ares);
    while (!list_empty(&c->sockets))
        drop_socket(container_of(c->sockets.next, struct dns_socket, node));
    list_remove(&c->node);
    free(c);
}
