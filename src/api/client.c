#include "api/client.h"

#include <stdlib.h>

#include "api/config.h"
#include "api/relay.h"
#include "api/serve.h"
#include "api/stream.h"
#include "client/status.h"

static struct wsp_client *owner_of(struct client *c)
{
    return container_of(c, struct wsp_client, client);
}

static void on_event(struct client *c, const struct wsp_event *e)
{
    events_post(&owner_of(c)->events, e);
}

static void destroy(struct wsp_client *c)
{
    struct wsp_loop *loop = c->loop;

    client_stop(&c->client);
    servings_fini(c);
    wspc_config_fini(&c->config);
    free(c);
    loop_unref(loop);
}

static void on_end(struct task *t)
{
    destroy(container_of(t, struct wsp_client, end));
}

/* ---- starting */

/* `out` is to be fini'ed either way. */
static enum wsp_err load(const struct wsp_client *c, struct wsp_config *config,
                         struct wspc_config *out, char error[WSP_ERROR_MAX])
{
    enum wsp_err err = config_load_client(config, out, error);

    if (err == WSP_OK && c->links_only)
        wspc_config_keep_one(out);
    return err;
}

static struct wsp_client *client_new(struct wsp_loop *loop,
                                     const struct wsp_client_options *options)
{
    struct wsp_client *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->loop = loop;
    c->links_only = options->links_only;
    list_init(&c->streams);
    list_init(&c->relays);
    list_init(&c->servings);
    task_init(&c->end, on_end);
    events_init(&c->events, loop, options->event, options->ctx);
    return c;
}

static enum wsp_err start(struct wsp_client *c, struct wsp_config *config,
                          char error[WSP_ERROR_MAX])
{
    enum wsp_err err = load(c, config, &c->config, error);

    return err == WSP_OK ? client_start(&c->client, c->loop, &c->config, error) : err;
}

struct wsp_client *wsp_client_new(struct wsp_loop *loop, const struct wsp_client_options *options,
                                  char error[WSP_ERROR_MAX])
{
    char text[WSP_ERROR_MAX];
    struct wsp_client *c;

    if (!loop || !options) {
        error_set(error, "%s", loop ? "no options are given" : "no loop is given");
        return NULL;
    }
    c = client_new(loop, options);
    if (!c) {
        error_set(error, "out of memory");
        return NULL;
    }
    if (start(c, options->config, text) != WSP_OK) {
        error_set(error, "%s", text);
        wspc_config_fini(&c->config);
        free(c);
        return NULL;
    }
    c->client.on_event = options->event ? on_event : NULL;
    loop_ref(loop);
    return c;
}

void wsp_client_free(struct wsp_client *c)
{
    if (!client_is_usable(c))
        return;
    c->dying = true;
    events_fini(&c->events);
    streams_orphan(c);
    relays_silence(c);
    if (loop_in_turn(c->loop))
        loop_end_later(c->loop, &c->end);
    else
        destroy(c);
}

/* ---- while it runs */

enum wsp_err wsp_client_reload(struct wsp_client *c, struct wsp_config *config,
                               char error[WSP_ERROR_MAX])
{
    struct wspc_config with;
    char text[WSP_ERROR_MAX];
    enum wsp_err err;

    if (!client_is_usable(c) || c->client.draining) {
        error_set(error, "%s", c ? "the client is shutting down" : "no client is given");
        return WSP_ERR_USAGE;
    }
    err = load(c, config, &with, text);
    if (err == WSP_OK)
        err = client_reload(&c->client, &with, text);
    if (err == WSP_OK)
        servings_go_on(c);
    else
        error_set(error, "%s", text);
    wspc_config_fini(&with);
    return err;
}

static void on_drained(struct client *client)
{
    struct wsp_client *c = owner_of(client);
    void (*drained)(void *ctx) = c->dying ? NULL : c->drained;

    c->drained = NULL;
    if (drained)
        drained(c->drained_ctx);
}

enum wsp_err wsp_client_drain(struct wsp_client *c, void (*drained)(void *ctx), void *ctx)
{
    if (!client_is_usable(c) || c->client.draining)
        return WSP_ERR_USAGE;
    c->drained = drained;
    c->drained_ctx = ctx;
    client_drain(&c->client, on_drained);
    return WSP_OK;
}

size_t wsp_client_servers(const struct wsp_client *c)
{
    return client_is_usable(c) ? c->client.session_count : 0;
}

size_t wsp_client_servers_up(const struct wsp_client *c)
{
    return client_is_usable(c) ? client_servers_up(&c->client) : 0;
}

char *wsp_client_status(struct wsp_client *c)
{
    struct json_out j = {.failed = false};

    if (!client_is_usable(c))
        return NULL;
    json_out_object(&j, NULL);
    client_status_write(&c->client, &j);
    json_out_end_object(&j);
    return json_out_take(&j);
}
