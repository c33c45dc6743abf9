/* For tests of the server within a program: a loop, a server, and visitors that are plain sockets.
 * Include it behind cmocka.h. */
#ifndef TESTS_UNIT_API_HELP_H
#define TESTS_UNIT_API_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net_help.h"
#include "wsp/wsp.h"

#define SECRET "{\"port\": 1, \"path\": \"/proxy\", \"auth\": \"secret\", \"host\": \"a.example\"}"

/* The key of RFC 6455 section 1.3, and its answer. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define LINK_HEADERS                                                                    \
    {"Host", "x"}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"},                 \
        {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", KEY}, {"Proto", "0.10"}, \
    {                                                                                   \
        "Auth", "secret"                                                                \
    }

#define LINK_REQUEST                                                                             \
    "GET /proxy HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\nProto: 0.10\r\nAuth: secret\r\n" \
    "\r\n"

struct world {
    struct wsp_loop *loop;
    struct wsp_server *server;
    struct wsp_detached detached; /* for who takes one */
    char log[16384];              /* what was called back, one line each */
};

/* Notes something that happened. */
__attribute__((format(printf, 2, 3))) static inline void note(struct world *w, const char *fmt, ...)
{
    size_t len = strlen(w->log);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(w->log + len, sizeof(w->log) - len, fmt, ap);
    va_end(ap);
}

/* Whether it was noted; turns the loop until it is. */
#define expect_note(w, text) wait_for((w)->loop, -1, strstr((w)->log, (text)))

static inline struct wsp_config *config_of(const char *json)
{
    struct wsp_config *c = wsp_config_new();

    assert_non_null(c);
    assert_int_equal(wsp_config_text(c, "test", json, strlen(json)), WSP_OK);
    return c;
}

static inline void on_event(void *ctx, const struct wsp_event *e)
{
    static const char *const kinds[] = {"up",   "down",   "registered", "refused",
                                        "gone", "opened", "closed"};

    note(ctx, "%s %s %s %s\n", e->link, kinds[e->kind], e->name, e->text);
}

/* A socket that listens on a free port of 127.0.0.1; *port is that. */
static inline int listen_somewhere(unsigned *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(a);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* A server on a port of its own, or without one (port NULL). */
static inline void world_serve(struct world *w, const char *json,
                               void (*fallback)(void *ctx, struct wsp_request *r), unsigned *port)
{
    struct wsp_config *c = config_of(json);
    struct wsp_server_options o = {.config = c, .fallback = fallback, .event = on_event, .ctx = w};
    char error[WSP_ERROR_MAX] = "";
    int fd;

    o.no_listener = !port;
    if (port) {
        fd = listen_somewhere(port);
        o.socket = &fd;
        o.socket_count = 1;
    }
    w->server = wsp_server_new(w->loop, &o, error);
    assert_string_equal(error, "");
    assert_non_null(w->server);
    wsp_config_free(c);
}

static inline int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->loop = wsp_loop_new();
    assert_non_null(w->loop);
    *state = w;
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *w = *state;

    wsp_server_free(w->server);
    wsp_loop_free(w->loop);
    free(w);
    return 0;
}

/* A visitor, non-blocking. */
static inline int visit(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    set_nonblocking(fd);
    return fd;
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What has come so far; ended is set at the end, broken with a reset. */
struct heard {
    char text[16384];
    size_t len;
    bool ended, broken;
};

static inline bool hear(int fd, struct heard *h)
{
    ssize_t n = recv(fd, h->text + h->len, sizeof(h->text) - 1 - h->len, MSG_DONTWAIT);

    if (n > 0)
        h->len += (size_t)n;
    h->text[h->len] = '\0';
    h->ended = h->ended || n == 0;
    h->broken = h->broken || (n < 0 && errno != EAGAIN);
    return n > 0;
}

/* Turns the loop until the visitor has got this, or its end. */
#define expect_text(w, fd, h, what) \
    wait_for((w)->loop, fd, (hear(fd, h), strstr((h)->text, (what)) != NULL))
#define expect_end(w, fd, h) wait_for((w)->loop, fd, (hear(fd, h), (h)->ended))

#endif
