/* For tests of clients within a program: one loop with a server and two clients, streams that note
 * what is told of them, and sockets. Include it behind cmocka.h. */
#ifndef TESTS_UNIT_STREAM_HELP_H
#define TESTS_UNIT_STREAM_HELP_H

#include "api_help.h"

enum { CHUNK = 16 * 1024 };

/* A stream, and what was told of it. */
struct end {
    struct wsp_stream *stream;
    unsigned opened, readable, writable, closed;
    enum wsp_err why;
    char text[256];
    size_t sent, got; /* of the pattern */
    bool heard_end, mismatch;
    bool free_when_opened, free_when_readable, free_when_closed;
};

struct net {
    struct world w; /* the server, with port `port` */
    unsigned port;
    char more[64]; /* in the entry of both: the dialect */
    struct wsp_client *a, *b;
    struct end end[4]; /* for whoever needs them; freed by the teardown */
    struct end served; /* the last stream that was accepted */
    unsigned accepts;  /* how often it was asked */
    bool refuses;      /* what it says */
    bool drained;      /* a client that was asked to */
    void (*on_accept)(struct net *n, struct wsp_stream *s); /* first, if there is one */
    char events[2][16384];                                  /* of the clients */
};

static inline void end_fini(struct end *e)
{
    wsp_stream_free(e->stream);
    *e = (struct end){.stream = NULL};
}

static inline void on_opened(struct wsp_stream *s, void *ctx)
{
    struct end *e = ctx;

    (void)s;
    e->opened++;
    if (e->free_when_opened)
        end_fini(e);
}

/* Reads until there is no more. */
static inline void end_read(struct end *e)
{
    uint8_t piece[CHUNK];
    ssize_t n;

    while ((n = wsp_stream_read(e->stream, piece, sizeof(piece))) > 0)
        for (ssize_t i = 0; i < n; i++)
            e->mismatch = e->mismatch || piece[i] != pattern_at(e->got++);
    e->heard_end = e->heard_end || n == 0;
}

static inline void on_readable(struct wsp_stream *s, void *ctx)
{
    struct end *e = ctx;

    (void)s;
    e->readable++;
    if (e->free_when_readable)
        end_fini(e);
    else
        end_read(e);
}

static inline void on_writable(struct wsp_stream *s, void *ctx)
{
    (void)s;
    ((struct end *)ctx)->writable++;
}

static inline void on_closed(struct wsp_stream *s, enum wsp_err why, const char *text, void *ctx)
{
    struct end *e = ctx;

    (void)s;
    e->closed++;
    e->why = why;
    snprintf(e->text, sizeof(e->text), "%s", text);
    if (e->free_when_closed)
        end_fini(e);
}

static const struct wsp_stream_events stream_events = {on_opened, on_readable, on_writable,
                                                       on_closed};

/* The same, but nobody reads. */
static const struct wsp_stream_events deaf_events = {on_opened, NULL, on_writable, on_closed};

/* Writes up to `n` more bytes of the pattern; returns how many were taken. */
static inline size_t end_write(struct end *e, size_t n)
{
    uint8_t piece[CHUNK];
    size_t left = n;
    ssize_t got = 1;

    while (left && got > 0) {
        size_t want = left < sizeof(piece) ? left : sizeof(piece);

        pattern_fill(piece, e->sent, want);
        got = wsp_stream_write(e->stream, piece, want);
        if (got > 0) {
            e->sent += (size_t)got;
            left -= (size_t)got;
        }
    }
    return n - left;
}

static inline bool on_accept(void *ctx, struct wsp_stream *s)
{
    struct net *n = ctx;

    n->accepts++;
    if (n->on_accept)
        n->on_accept(n, s);
    if (n->refuses)
        return false;
    n->served.stream = s;
    assert_int_equal(wsp_stream_set_events(s, &stream_events, &n->served), WSP_OK);
    return true;
}

static inline void serve(struct net *n, struct wsp_client *c, const char *channel,
                         const char *password)
{
    struct wsp_serve sv = {.channel = channel, .password = password, .accept = on_accept, .ctx = n};
    char error[WSP_ERROR_MAX] = "";

    wsp_client_serve(c, &sv, error);
    assert_string_equal(error, "");
}

static inline struct wsp_stream *open_to(struct end *e, struct wsp_client *c,
                                         struct wsp_target target)
{
    char error[WSP_ERROR_MAX] = "";

    e->stream = wsp_client_open(c, &target, &stream_events, e, error);
    assert_string_equal(error, "");
    return e->stream;
}

/* ---- clients */

static inline void note_event(char log[16384], const struct wsp_event *e)
{
    static const char *const kinds[] = {"up",   "down",   "registered", "refused",
                                        "gone", "opened", "closed"};
    size_t len = strlen(log);
    bool counts = e->kind == WSP_CHANNEL_CLOSED;
    const char *what;

    what = e->name[0] ? e->name : e->text[0] ? e->text : e->peer;
    snprintf(log + len, 16384 - len, counts ? "%s %s %s %llu %llu\n" : "%s %s %s\n", e->link,
             kinds[e->kind], what, (unsigned long long)e->sent, (unsigned long long)e->received);
}

static inline void on_client_event(void *ctx, const struct wsp_event *e)
{
    note_event(ctx, e);
}

/* "more" is further keys of the entry, with a comma in front. */
static inline struct wsp_config *client_config(const struct net *n, const char *more)
{
    char json[1024];

    snprintf(json, sizeof(json),
             "{\"client\": [{\"server\": \"ws://127.0.0.1:%u/proxy?token=t\", "
             "\"auth\": \"secret\"%s}], \"time\": {\"open\": 2, \"reconnect_min\": 0.1, "
             "\"reconnect_max\": 0.2}}",
             n->port, more);
    return config_of(json);
}

static inline struct wsp_client *client_of(struct net *n, const char *more, char log[16384])
{
    struct wsp_config *c = client_config(n, more);
    struct wsp_client_options o = {.config = c, .event = on_client_event, .ctx = log};
    char error[WSP_ERROR_MAX] = "";
    struct wsp_client *client = wsp_client_new(n->w.loop, &o, error);

    assert_string_equal(error, "");
    assert_non_null(client);
    wsp_config_free(c);
    return client;
}

static inline void net_serve(struct net *n)
{
    world_serve(&n->w,
                "{\"port\": 1, \"path\": \"/proxy\", \"auth\": \"secret\", \"egress\": "
                "{\"allow\": [\"127.0.0.0/8\"]}}",
                NULL, &n->port);
}

/* Both clients with a link, in the dialect. */
static inline struct net *net_new(const char *dialect)
{
    struct net *n = calloc(1, sizeof(*n));
    assert_non_null(n);
    n->w.loop = wsp_loop_new();
    assert_non_null(n->w.loop);
    net_serve(n);
    snprintf(n->more, sizeof(n->more), ", \"dialect\": \"%s\"", dialect);
    n->a = client_of(n, n->more, n->events[0]);
    n->b = client_of(n, n->more, n->events[1]);
    wait_for(n->w.loop, -1, wsp_client_servers_up(n->a) + wsp_client_servers_up(n->b) == 2);
    return n;
}

static inline void net_free(struct net *n)
{
    for (size_t i = 0; i < 4; i++)
        wsp_stream_free(n->end[i].stream);
    wsp_stream_free(n->served.stream);
    wsp_client_free(n->a);
    wsp_client_free(n->b);
    wsp_server_free(n->w.server);
    wsp_loop_free(n->w.loop);
    free(n);
}

static inline void turn(struct net *n, int fd)
{
    wait_step(n->w.loop, fd);
}

#define until(n, cond) wait_for((n)->w.loop, -1, (cond))
#define until_fd(n, fd, cond) wait_for((n)->w.loop, (fd), (cond))

/* For each dialect once. */
static inline int setup_0_10(void **state)
{
    *state = net_new("0.10");
    return 0;
}

static inline int setup_wsp_1(void **state)
{
    *state = net_new("wsp.1");
    return 0;
}

static inline int net_teardown(void **state)
{
    net_free(*state);
    return 0;
}

#define in_both(test)                                                 \
    cmocka_unit_test_setup_teardown(test, setup_wsp_1, net_teardown), \
        cmocka_unit_test_setup_teardown(test, setup_0_10, net_teardown)
#define in_wsp_1(test) cmocka_unit_test_setup_teardown(test, setup_wsp_1, net_teardown)
#define in_0_10(test) cmocka_unit_test_setup_teardown(test, setup_0_10, net_teardown)

#endif
