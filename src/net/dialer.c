#include "net/dialer.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ATTEMPTS_MAX = 3,              /* sockets under way at once */
    FAMILY_MAX = 8,                /* addresses tried of each family */
    RESOLUTION_DELAY_US = 50000,   /* IPv4 waits that long for IPv6 (RFC 8305 section 3) */
    ATTEMPT_DELAY_US = 250000,     /* from one attempt to the next (section 5) */
    ATTEMPT_PATIENCE_US = 2000000, /* then an attempt makes room for an address still untried */
};

struct attempt {
    struct watch watch; /* fd is -1 while the slot is free; the descriptor is owned */
    struct dial_state *dial;
    struct address address;
    uint64_t started_us;
};

/* The addresses of one family, in the order of their use. */
struct candidates {
    struct address list[FAMILY_MAX];
    size_t count, next;
};

struct dial_state {
    struct wsp_loop *loop;
    struct dial *dial; /* borrowed: the owner cancels before it goes */
    struct resolve resolve;
    bool resolved; /* no more addresses will come */
    bool started;  /* attempts may be made */
    struct timer deadline;
    struct timer next; /* the next attempt */
    bool (*allowed)(void *ctx, const struct address *address);
    void *ctx;
    struct candidates family[2]; /* IPv6, IPv4 */
    size_t turn;                 /* family of the next attempt, if it has an address left */
    struct attempt attempt[ATTEMPTS_MAX];
    size_t in_flight;
    enum dial_status status; /* the most telling failure so far; DIAL_OK: none */
    char text[DIAL_TEXT_MAX];
    unsigned port;
    char host[]; /* NUL-terminated */
};

/* Which failure is reported when attempts ended differently: the highest, the first of equals. */
static const int telling[] = {
    [DIAL_OK] = 0,
    [DIAL_DENIED] = 1,
    [DIAL_NO_SUCH_HOST] = 2,
    [DIAL_FAILED] = 3,
    [DIAL_TIMEOUT] = 4,
    [DIAL_HOST_UNREACHABLE] = 5,
    [DIAL_NETWORK_UNREACHABLE] = 5,
    [DIAL_REFUSED] = 6,
};

__attribute__((format(printf, 3, 4))) static void
note(struct dial_state *s, enum dial_status status, const char *fmt, ...)
{
    va_list args;

    if (telling[status] <= telling[s->status])
        return;
    s->status = status;
    va_start(args, fmt);
    vsnprintf(s->text, sizeof(s->text), fmt, args);
    va_end(args);
}

static enum dial_status status_of_errno(int err)
{
    switch (err) {
    case ECONNREFUSED:
        return DIAL_REFUSED;
    case ENETUNREACH:
    case ENETDOWN:
    case EAFNOSUPPORT: /* a system without IPv6 */
        return DIAL_NETWORK_UNREACHABLE;
    case EHOSTUNREACH:
    case EHOSTDOWN:
        return DIAL_HOST_UNREACHABLE;
    case ETIMEDOUT:
        return DIAL_TIMEOUT;
    default:
        return DIAL_FAILED;
    }
}

/* `call` is the system call that failed. */
static void note_errno(struct dial_state *s, const struct address *a, const char *call, int err)
{
    const char *reason = strerror(err);
    char text[ADDRESS_TEXT_MAX];

    address_text(a, text);
    note(s, status_of_errno(err), "dial tcp %s: %s: %c%s", text, call, tolower(reason[0]),
         reason + 1);
}

static void note_timeout(struct dial_state *s, const struct address *a)
{
    char text[ADDRESS_TEXT_MAX];

    address_text(a, text);
    note(s, DIAL_TIMEOUT, "dial tcp %s: i/o timeout", text);
}

static void note_lookup(struct dial_state *s, enum resolve_status status)
{
    if (status == RESOLVE_TIMEOUT)
        note(s, DIAL_TIMEOUT, "dial tcp: lookup %s: i/o timeout", s->host);
    else if (status == RESOLVE_FAILED)
        note(s, DIAL_NO_SUCH_HOST, "dial tcp: lookup %s: server misbehaving", s->host);
    else
        note(s, DIAL_NO_SUCH_HOST, "dial tcp: lookup %s: no such host", s->host);
}

static void note_denied(struct dial_state *s)
{
    bool v6 = strchr(s->host, ':') != NULL;

    note(s, DIAL_DENIED, "dial tcp %s%s%s:%u: not allowed by egress rules", v6 ? "[" : "", s->host,
         v6 ? "]" : "", s->port);
}

/* Returns the descriptor, now the caller's. */
static int detach_attempt(struct attempt *a)
{
    int fd = a->watch.fd;

    watch_stop(a->dial->loop, &a->watch);
    a->dial->in_flight--;
    return fd;
}

static void state_free(struct dial_state *s)
{
    resolve_cancel(&s->resolve);
    timer_clear(s->loop, &s->deadline);
    timer_clear(s->loop, &s->next);
    for (size_t i = 0; i < ATTEMPTS_MAX; i++)
        if (s->attempt[i].watch.fd >= 0)
            close(detach_attempt(&s->attempt[i]));
    free(s);
}

/* The last thing to do with `s`. */
static void finish(struct dial_state *s, enum dial_status status, int fd)
{
    struct dial *d = s->dial;
    char text[DIAL_TEXT_MAX];

    memcpy(text, s->text, sizeof(text));
    d->state = NULL;
    state_free(s);
    d->on_done(d, status, fd, text);
}

static bool has_candidate(const struct dial_state *s)
{
    return s->family[0].next < s->family[0].count || s->family[1].next < s->family[1].count;
}

/* Alternates between the families while both have addresses left; NULL when none has. */
static const struct address *take_candidate(struct dial_state *s)
{
    struct candidates *c = &s->family[s->turn];

    if (c->next == c->count)
        c = &s->family[!s->turn];
    if (c->next == c->count)
        return NULL;
    s->turn = c == &s->family[0];
    return &c->list[c->next++];
}

static struct attempt *oldest_attempt(struct dial_state *s)
{
    struct attempt *oldest = NULL;

    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        struct attempt *a = &s->attempt[i];

        if (a->watch.fd >= 0 && (!oldest || a->started_us < oldest->started_us))
            oldest = a;
    }
    return oldest;
}

static struct attempt *free_attempt(struct dial_state *s)
{
    for (size_t i = 0; i < ATTEMPTS_MAX; i++)
        if (s->attempt[i].watch.fd < 0)
            return &s->attempt[i];
    return NULL;
}

/* False when it failed at once; the failure is noted. */
static bool start_attempt(struct dial_state *s, const struct address *to)
{
    struct attempt *a = free_attempt(s);
    int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        note_errno(s, to, "socket", errno);
        return false;
    }
    address_set_tcp_options(fd);
    if (connect(fd, &to->sa, to->len) != 0 && errno != EINPROGRESS && errno != EINTR) {
        note_errno(s, to, "connect", errno);
        close(fd);
        return false;
    }
    if (watch_start(s->loop, &a->watch, fd, POLLER_WRITE | POLLER_LEVEL) != WSP_OK) {
        note_errno(s, to, "poll", errno);
        close(fd);
        return false;
    }
    a->address = *to;
    a->started_us = loop_now(s->loop);
    s->in_flight++;
    return true;
}

/* Without memory for the timer the next attempt waits for the failure of this one. */
static void arm_next(struct dial_state *s)
{
    uint64_t due = loop_now(s->loop) + ATTEMPT_DELAY_US;

    if (s->in_flight == ATTEMPTS_MAX)
        due = oldest_attempt(s)->started_us + ATTEMPT_PATIENCE_US;
    (void)timer_set(s->loop, &s->next, due);
}

/* Makes the next attempt, or ends the dial when nothing is left to wait for. */
static void advance(struct dial_state *s)
{
    while (s->in_flight < ATTEMPTS_MAX) {
        const struct address *to = take_candidate(s);

        if (!to)
            break;
        if (s->allowed && !s->allowed(s->ctx, to)) {
            note_denied(s);
        } else if (start_attempt(s, to)) {
            arm_next(s);
            return;
        }
    }
    if (s->in_flight == 0 && s->resolved)
        finish(s, s->status, -1);
}

static void on_next(struct timer *t)
{
    struct dial_state *s = container_of(t, struct dial_state, next);

    s->started = true;
    if (s->in_flight == ATTEMPTS_MAX && has_candidate(s)) {
        struct attempt *a = oldest_attempt(s);

        note_timeout(s, &a->address);
        close(detach_attempt(a));
    }
    advance(s);
}

static void on_deadline(struct timer *t)
{
    struct dial_state *s = container_of(t, struct dial_state, deadline);
    const struct attempt *a = oldest_attempt(s);
    const struct address *waiting = a ? &a->address : take_candidate(s);

    if (waiting)
        note_timeout(s, waiting);
    else
        note_lookup(s, RESOLVE_TIMEOUT);
    finish(s, s->status, -1);
}

/* A port of the ephemeral range that nobody listens on may get connected to itself. */
static bool is_self(int fd, const struct address *to)
{
    struct address own = {.len = sizeof(own.storage)};

    if (getsockname(fd, &own.sa, &own.len) != 0 || own.sa.sa_family != to->sa.sa_family ||
        address_port(&own) != address_port(to))
        return false;
    if (to->sa.sa_family == AF_INET)
        return own.in.sin_addr.s_addr == to->in.sin_addr.s_addr;
    return memcmp(&own.in6.sin6_addr, &to->in6.sin6_addr, sizeof(to->in6.sin6_addr)) == 0;
}

static int outcome_of(const struct attempt *a)
{
    socklen_t len = sizeof(int);
    int err = 0;

    if (getsockopt(a->watch.fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
        return errno;
    if (err == 0 && is_self(a->watch.fd, &a->address))
        return ECONNREFUSED;
    return err;
}

static void on_attempt(struct watch *w, unsigned events)
{
    struct attempt *a = container_of(w, struct attempt, watch);
    struct dial_state *s = a->dial;
    int err = outcome_of(a);

    if (err != 0) {
        note_errno(s, &a->address, "connect", err);
        close(detach_attempt(a));
        advance(s);
    } else if (events & POLLER_WRITE) {
        address_text(&a->address, s->text);
        finish(s, DIAL_OK, detach_attempt(a));
    }
}

/* An IPv4-mapped address becomes IPv4, so that `allowed` cannot be led around its rules. */
static void add_candidate(struct dial_state *s, const struct address *from)
{
    struct address a = *from;
    struct candidates *c;

    if (a.sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr)) {
        memset(&a, 0, sizeof(a));
        a.len = sizeof(a.in);
        a.in.sin_family = AF_INET;
        memcpy(&a.in.sin_addr, &from->in6.sin6_addr.s6_addr[12], sizeof(a.in.sin_addr));
    }
    if (a.sa.sa_family == AF_INET)
        a.in.sin_port = htons((uint16_t)s->port);
    else
        a.in6.sin6_port = htons((uint16_t)s->port);
    c = &s->family[a.sa.sa_family == AF_INET];
    if (c->count < FAMILY_MAX)
        c->list[c->count++] = a;
}

static void on_addresses(struct resolve *q, const struct address *list, size_t count, bool last)
{
    struct dial_state *s = container_of(q, struct dial_state, resolve);

    for (size_t i = 0; i < count; i++)
        add_candidate(s, &list[i]);
    s->resolved = last;
    if (last && s->family[0].count == 0 && s->family[1].count == 0)
        note_lookup(s, q->status);
    if (!s->started && !last && s->family[0].count == 0) {
        if (count == 0 ||
            timer_set(s->loop, &s->next, loop_now(s->loop) + RESOLUTION_DELAY_US) == WSP_OK)
            return;
    }
    s->started = true;
    /* While an attempt is young, the timer makes the next one. */
    if (s->in_flight == 0 || !timer_is_set(&s->next))
        advance(s);
}

static struct dial_state *state_new(struct wsp_loop *loop, struct dial *d,
                                    const struct dial_options *options)
{
    size_t host_size = strlen(options->host) + 1;
    struct dial_state *s = calloc(1, sizeof(*s) + host_size);

    if (!s)
        return NULL;
    s->loop = loop;
    s->dial = d;
    s->allowed = options->allowed;
    s->ctx = options->ctx;
    s->port = options->port;
    memcpy(s->host, options->host, host_size);
    s->resolve.on_addresses = on_addresses;
    s->deadline.fire = on_deadline;
    s->next.fire = on_next;
    for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
        s->attempt[i].watch = (struct watch){.fd = -1, .on_event = on_attempt};
        s->attempt[i].dial = s;
    }
    return s;
}

enum wsp_err dial_start(struct wsp_loop *loop, struct resolver *r, struct dial *d,
                        const struct dial_options *options)
{
    struct dial_state *s = state_new(loop, d, options);
    uint64_t now = loop_now(loop);
    uint64_t left = UINT64_MAX - now;

    if (!s)
        return WSP_ERR_NOMEM;
    if (options->timeout_us < left)
        left = options->timeout_us;
    if (timer_set(loop, &s->deadline, now + left) != WSP_OK ||
        resolve_start(r, &s->resolve, options->host) != WSP_OK) {
        state_free(s);
        return WSP_ERR_NOMEM;
    }
    d->state = s;
    return WSP_OK;
}

void dial_cancel(struct dial *d)
{
    struct dial_state *s = d->state;

    if (!s)
        return;
    d->state = NULL;
    state_free(s);
}
