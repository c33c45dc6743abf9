#include "client/proxy_listener.h"

#include <stdlib.h>

#include "client/http_in.h"
#include "client/local_in.h"
#include "client/socks5_in.h"

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
    struct proxy_listener *p = container_of(l, struct proxy_listener, listener);

    (void)peer;
    switch (p->config->kind) {
    case WSPC_HTTP:
        http_in_accept(p, fd);
        break;
    case WSPC_SOCKS5:
        socks5_in_accept(p, fd);
        break;
    case WSPC_LOCAL:
        local_in_accept(p, fd);
        break;
    }
}

static void log_start(const struct proxy_listener *p)
{
    static const char *const kinds[] = {"SOCKS5 proxy", "HTTP proxy", "local forward"};
    struct log *log = loop_log(p->listener.loop);
    char text[ADDRESS_TEXT_MAX];
    const char *kind = kinds[p->config->kind];

    address_text(&p->listener.local, text);
    log_info(log, "%s: %s listening on %s%s%s", p->session->name, kind,
             p->config->path ? p->config->path : text, p->config->channel ? ", to channel " : "",
             p->config->channel ? p->config->channel : "");
    if (p->config->kind != WSPC_LOCAL && !p->session->config->dynamic_user &&
        !address_is_loopback(&p->listener.local))
        log_warn(log,
                 "%s: the %s on %s is open to everybody who reaches it; set \"dynamic_auth\" or "
                 "bind it to a loopback address",
                 p->session->name, kind, text);
}

enum wsp_err proxy_listeners_start(struct session *s, char error[CONFIG_ERROR_MAX])
{
    size_t count = s->config->listener_count;

    s->proxy = calloc(count ? count : 1, sizeof(*s->proxy));
    if (!s->proxy)
        return WSP_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct proxy_listener *p = &s->proxy[i];
        struct listener_options options = {.bind = s->config->listener[i].bind,
                                           .port = s->config->listener[i].port,
                                           .path = s->config->listener[i].path,
                                           .limit = (size_t)s->client->config->max_connections};
        enum wsp_err err;

        p->session = s;
        p->config = &s->config->listener[i];
        p->listener.on_accept = on_accept;
        err = listener_start(&p->listener, s->client->loop, &options, error);
        if (err != WSP_OK)
            return err;
        log_start(p);
    }
    return WSP_OK;
}

void proxy_listeners_stop(struct session *s)
{
    for (size_t i = 0; s->proxy && i < s->config->listener_count; i++)
        listener_stop(&s->proxy[i].listener);
}
