#include "api/serve.h"

#include <stdlib.h>

#include "api/config.h"
#include "api/stream.h"

enum { NO_PORT = 1 }; /* for the registration's URL, which has to have one */

static struct serving *serving_at(struct list *node)
{
    return container_of(node, struct serving, node);
}

static void on_open(struct served *served, struct session *s, struct link *l, struct slice id)
{
    struct serving *sv = container_of(served, struct serving, served);

    if (sv->client->dying)
        link_refuse(l, id, "the client is shutting down");
    else
        stream_offer(sv->client, sv, s, l, id);
}

static void serving_free(struct serving *sv)
{
    if (sv->served.registration)
        registration_withdraw(&sv->served);
    streams_forget_serving(sv->client, sv);
    list_remove(&sv->node);
    if (sv->password)
        explicit_bzero(sv->password, strlen(sv->password));
    free(sv->password);
    free(sv->channel);
    free(sv);
}

static struct serving *serving_new(struct wsp_client *c, const struct wsp_serve *serve)
{
    struct serving *sv = calloc(1, sizeof(*sv));

    if (!sv)
        return NULL;
    sv->client = c;
    sv->served.open = on_open;
    sv->server = serve->server;
    sv->accept = serve->accept;
    sv->ctx = serve->ctx;
    list_init(&sv->node);
    if (config_copy_text(&sv->channel, serve->channel) &&
        config_copy_text(&sv->password, serve->password))
        return sv;
    serving_free(sv);
    return NULL;
}

/* ---- registering */

static enum wsp_err write_url(const struct serving *sv, char out[FORWARD_URL_MAX + 1])
{
    struct forward_open o = {.scheme = "tcp",
                             .channel = slice_str(sv->channel),
                             .has_password = sv->password != NULL,
                             .password = slice_str(sv->password ? sv->password : ""),
                             .host = slice_str("localhost"),
                             .port = NO_PORT};
    size_t len;
    enum wsp_err err = forward_open_write(&o, out, FORWARD_URL_MAX, &len);

    if (err == WSP_OK)
        out[len] = '\0';
    return err;
}

/* NULL, or why not. */
static const char *enter(struct serving *sv)
{
    struct session *s = client_session(&sv->client->client, sv->server);
    char url[FORWARD_URL_MAX + 1];
    struct wspc_remote remote = {.url = NULL};
    const char *why;

    if (!s)
        return "there is no such entry of \"client\"";
    if (registration_find(s, slice_str(sv->channel)))
        return "the name is taken";
    if (write_url(sv, url) != WSP_OK)
        return "channel and password can have up to 256 bytes";
    why = wspc_remote_parse(url, &remote);
    if (!why && registration_serve(s, &remote, &sv->served) != WSP_OK)
        why = "out of memory";
    wspc_remote_fini(&remote);
    explicit_bzero(url, sizeof(url));
    if (!why)
        registrations_go_on(s);
    return why;
}

void servings_go_on(struct wsp_client *c)
{
    struct list *node, *tmp;

    list_each (node, tmp, &c->servings) {
        struct serving *sv = serving_at(node);
        const char *why = sv->served.registration ? NULL : enter(sv);

        if (why)
            log_warn(loop_log(c->loop), "channel %s: not served: %s", sv->channel, why);
    }
}

void servings_fini(struct wsp_client *c)
{
    while (!list_empty(&c->servings))
        serving_free(serving_at(c->servings.next));
}

/* ---- what the program calls */

static struct serving *find(const struct wsp_client *c, const char *channel, size_t server)
{
    struct list *node, *tmp;

    list_each (node, tmp, &c->servings)
        if (serving_at(node)->server == server && strcmp(serving_at(node)->channel, channel) == 0)
            return serving_at(node);
    return NULL;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static const char *fault(const struct wsp_client *c, const struct wsp_serve *serve)
{
    if (!client_is_usable(c))
        return "no client is given";
    if (c->client.draining)
        return "the client is shutting down";
    if (!serve || !serve->accept)
        return "nobody is given who accepts";
    if (!serve->channel || !*serve->channel)
        return "expected a channel";
    if (!is_printable(serve->channel))
        return "a control byte in the channel";
    if (find(c, serve->channel, serve->server))
        return "the name is taken";
    return NULL;
}

enum wsp_err wsp_client_serve(struct wsp_client *c, const struct wsp_serve *serve,
                              char error[WSP_ERROR_MAX])
{
    const char *why = fault(c, serve);
    struct serving *sv = why ? NULL : serving_new(c, serve);

    if (!why && !sv) {
        error_set(error, "out of memory");
        return WSP_ERR_NOMEM;
    }
    if (!why)
        why = enter(sv);
    if (!why) {
        list_push(&c->servings, &sv->node);
        return WSP_OK;
    }
    if (sv)
        serving_free(sv);
    error_set(error, "%s", why);
    return WSP_ERR_USAGE;
}

enum wsp_err wsp_client_unserve(struct wsp_client *c, const char *channel, size_t server)
{
    struct serving *sv = client_is_usable(c) && channel ? find(c, channel, server) : NULL;

    if (!sv)
        return WSP_ERR_USAGE;
    serving_free(sv);
    return WSP_OK;
}
