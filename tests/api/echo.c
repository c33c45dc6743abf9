#include "api/echo.h"

#include <stdlib.h>
#include <string.h>

/* ---- who is called */

struct echo {
    struct echo_service *service;
    struct echo *next;
    struct wsp_stream *stream;
    size_t at, len; /* of `held`, what is not sent back yet */
    char held[16384];
};

static void echo_free(struct echo *e)
{
    struct echo **at = &e->service->first;

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    wsp_stream_free(e->stream);
    free(e);
}

static bool echo_flush(struct echo *e)
{
    while (e->at < e->len) {
        ssize_t n = wsp_stream_write(e->stream, e->held + e->at, e->len - e->at);

        if (n <= 0)
            return false;
        e->at += (size_t)n;
    }
    return true;
}

static void echo_pump(struct wsp_stream *stream, void *ctx)
{
    struct echo *e = ctx;

    while (echo_flush(e)) {
        ssize_t n = wsp_stream_read(stream, e->held, sizeof(e->held));

        if (n == 0)
            wsp_stream_finish(stream);
        if (n <= 0)
            return;
        e->at = 0;
        e->len = (size_t)n;
    }
}

static void echo_closed(struct wsp_stream *stream, enum wsp_err why, const char *text, void *ctx)
{
    REQUIRE(stream && text && why != WSP_ERR_REFUSED);
    echo_free(ctx);
}

static const struct wsp_stream_events echo_events = {
    .readable = echo_pump, .writable = echo_pump, .closed = echo_closed};

bool echo_accept(void *ctx, struct wsp_stream *stream)
{
    struct echo_service *s = ctx;
    struct echo *e = calloc(1, sizeof(*e));

    REQUIRE(stream);
    if (!e)
        return false;
    *e = (struct echo){.service = s, .next = s->first, .stream = stream};
    s->first = e;
    s->accepted++;
    if (wsp_stream_set_events(stream, &echo_events, e) == WSP_OK)
        return true;
    e->stream = NULL; /* it is not ours */
    echo_free(e);
    return false;
}

void echo_service_free(struct echo_service *s)
{
    while (s->first)
        echo_free(s->first);
}

void echo_serve(struct wsp_client *client, const char *channel, size_t servers,
                struct echo_service *s)
{
    for (size_t i = 0; i < servers; i++) {
        struct wsp_serve serve = {.channel = channel, .server = i, .accept = echo_accept, .ctx = s};

        REQUIRE(wsp_client_serve(client, &serve, NULL) == WSP_OK);
    }
}

/* ---- who calls */

static unsigned char byte_at(const struct caller *c, size_t at)
{
    return (unsigned char)(at * 31 + (at >> 8) * 7 + c->seed);
}

static void caller_send(struct wsp_stream *stream, void *ctx)
{
    struct caller *c = ctx;
    unsigned char data[8192];

    while (c->sent < c->size) {
        size_t len = c->size - c->sent < sizeof(data) ? c->size - c->sent : sizeof(data);
        ssize_t n;

        for (size_t i = 0; i < len; i++)
            data[i] = byte_at(c, c->sent + i);
        n = wsp_stream_write(stream, data, len);
        if (n <= 0)
            return;
        REQUIRE((size_t)n <= len);
        c->sent += (size_t)n;
    }
    wsp_stream_finish(stream);
}

static void caller_opened(struct wsp_stream *stream, void *ctx)
{
    struct caller *c = ctx;

    REQUIRE(!c->opened && !c->closed);
    c->opened = true;
    caller_send(stream, c);
}

static void caller_read(struct wsp_stream *stream, void *ctx)
{
    struct caller *c = ctx;
    unsigned char data[8192];
    ssize_t n;

    while ((n = wsp_stream_read(stream, data, sizeof(data))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            REQUIRE(data[i] == byte_at(c, c->got + (size_t)i));
        c->got += (size_t)n;
    }
    c->ended |= n == 0;
}

static void caller_closed(struct wsp_stream *stream, enum wsp_err why, const char *text, void *ctx)
{
    struct caller *c = ctx;

    REQUIRE(stream && text && !c->closed);
    c->closed = true;
    c->why = why;
}

const struct wsp_stream_events caller_events = {.opened = caller_opened,
                                                .readable = caller_read,
                                                .writable = caller_send,
                                                .closed = caller_closed};

void caller_open(struct caller *c, struct wsp_client *client, const struct wsp_target *target)
{
    c->stream = wsp_client_open(client, target, &caller_events, c, NULL);
}

void caller_free(struct caller *c)
{
    wsp_stream_free(c->stream);
    c->stream = NULL;
}

bool caller_is_content(const struct caller *c)
{
    return c->closed && c->why == WSP_OK && c->ended && c->sent == c->size && c->got == c->size;
}
