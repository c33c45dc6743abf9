#include "api/server.h"

#include <stdlib.h>
#include <unistd.h>

#include "api/config.h"
#include "api/request.h"
#include "net/guest.h"
#include "server/status.h"

static void on_event(struct server *s, const struct wsp_event *e)
{
    events_post(&server_owner(s)->events, e);
}

static void destroy(struct wsp_server *s)
{
    struct wsp_loop *loop = s->loop;

    server_stop(&s->server);
    while (!list_empty(&s->guests))
        guest_finish_off(guest_of(s->guests.next));
    wsps_config_fini(&s->config);
    free(s);
    loop_unref(loop);
}

static void on_end(struct task *t)
{
    destroy(container_of(t, struct wsp_server, end));
}

/* ---- draining */

static void on_drained(struct server *server)
{
    struct wsp_server *s = server_owner(server);
    void (*drained)(void *ctx) = s->dying ? NULL : s->drained;

    s->drained = NULL; /* the time can be up and the last connection end in one turn */
    if (drained)
        drained(s->drained_ctx);
}

/* In a task of its own: a connection that ends may be one that the program is called about. */
static void on_begin_drain(struct task *t)
{
    struct wsp_server *s = container_of(t, struct wsp_server, begin_drain);

    server_drain(&s->server, on_drained);
}

/* ---- starting */

/* The sockets of the options, which are taken even when they are too many to be used. */
static bool take_sockets(const struct wsp_server_options *options, struct listener_sockets *out)
{
    bool fit = options->socket && options->socket_count <= LISTENER_SOCKETS_MAX;

    for (size_t i = 0; options->socket && i < options->socket_count; i++) {
        if (fit)
            out->fd[out->count++] = options->socket[i];
        else
            close(options->socket[i]);
    }
    return fit || options->socket_count == 0;
}

static struct wsp_server *server_new(struct wsp_loop *loop,
                                     const struct wsp_server_options *options)
{
    struct wsp_server *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->loop = loop;
    s->no_listener = options->no_listener;
    s->fallback = options->fallback;
    s->ctx = options->ctx;
    list_init(&s->guests);
    task_init(&s->end, on_end);
    task_init(&s->begin_drain, on_begin_drain);
    events_init(&s->events, loop, options->event, options->ctx);
    return s;
}

/* The sockets are taken, even on failure. */
static enum wsp_err start(struct wsp_server *s, struct wsp_config *config,
                          const struct listener_sockets *sockets, char error[WSP_ERROR_MAX])
{
    struct server_sources sources = {.passed = sockets, .no_listener = s->no_listener};
    enum wsp_err err =
        config_load_server(config, s->no_listener || sockets->count, &s->config, error);

    if (err == WSP_OK)
        return server_start(&s->server, s->loop, &s->config, &sources, error);
    listener_sockets_close(sockets);
    return err;
}

struct wsp_server *wsp_server_new(struct wsp_loop *loop, const struct wsp_server_options *options,
                                  char error[WSP_ERROR_MAX])
{
    struct listener_sockets sockets = {.count = 0};
    char text[WSP_ERROR_MAX];
    struct wsp_server *s;
    bool fit = options && take_sockets(options, &sockets);

    if (!loop || !fit) {
        listener_sockets_close(&sockets);
        error_set(error, !loop     ? "no loop is given"
                         : options ? "expected up to 8 listening sockets"
                                   : "no options are given");
        return NULL;
    }
    s = server_new(loop, options);
    if (!s) {
        listener_sockets_close(&sockets);
        error_set(error, "out of memory");
        return NULL;
    }
    if (start(s, options->config, &sockets, text) != WSP_OK) {
        error_set(error, "%s", text);
        wsps_config_fini(&s->config);
        free(s);
        return NULL;
    }
    s->server.on_event = options->event ? on_event : NULL;
    s->server.fallback = s->fallback ? request_fall_back : NULL;
    loop_ref(loop);
    return s;
}

void wsp_server_free(struct wsp_server *s)
{
    struct list *node, *tmp;

    if (!server_is_usable(s))
        return;
    s->dying = true;
    events_fini(&s->events);
    list_each (node, tmp, &s->guests)
        guest_mute(guest_of(node));
    task_cancel(&s->begin_drain);
    if (loop_in_turn(s->loop))
        loop_end_later(s->loop, &s->end);
    else
        destroy(s);
}

/* ---- while it runs */

enum wsp_err wsp_server_reload(struct wsp_server *s, struct wsp_config *config,
                               char error[WSP_ERROR_MAX])
{
    struct wsps_config with;
    char text[WSP_ERROR_MAX];
    bool port_optional;
    enum wsp_err err;

    if (!server_is_usable(s)) {
        error_set(error, "no server is given");
        return WSP_ERR_USAGE;
    }
    port_optional = s->no_listener || s->server.listener.passed;
    err = config_load_server(config, port_optional, &with, text);
    if (err == WSP_OK)
        err = server_reload(&s->server, &with, text);
    if (err != WSP_OK)
        error_set(error, "%s", text);
    wsps_config_fini(&with);
    return err;
}

enum wsp_err wsp_server_drain(struct wsp_server *s, void (*drained)(void *ctx), void *ctx)
{
    if (!server_is_usable(s) || s->drains)
        return WSP_ERR_USAGE;
    s->drains = true;
    s->drained = drained;
    s->drained_ctx = ctx;
    task_post(s->loop, &s->begin_drain);
    return WSP_OK;
}

bool wsp_server_address(const struct wsp_server *s, size_t index, char out[WSP_ADDRESS_MAX])
{
    struct address address;

    _Static_assert(WSP_ADDRESS_MAX >= ADDRESS_TEXT_MAX, "an address has room");
    if (!server_is_usable(s) || !out || !listener_address(&s->server.listener, index, &address))
        return false;
    address_text(&address, out);
    return true;
}

char *wsp_server_status(struct wsp_server *s)
{
    struct json_out j = {.failed = false};

    if (!server_is_usable(s))
        return NULL;
    json_out_object(&j, NULL);
    server_status_write(&s->server, &j);
    json_out_end_object(&j);
    return json_out_take(&j);
}
