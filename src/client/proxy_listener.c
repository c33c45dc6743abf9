#include "client/proxy_listener.h"

#include <stdlib.h>

#include "client/http_in.h"
#include "client/socks5_in.h"

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
    struct proxy_listener *p = container_of(l, struct proxy_listener, listener);

    (void)peer;
    if (p->config->is_http)
        http_in_accept(p, fd);
    else
        socks5_in_accept(p, fd);
}

static void log_start(const struct proxy_listener *p)
{
    struct log *log = loop_log(p->listener.loop);
    char text[ADDRESS_TEXT_MAX];
    const char *kind = p->config->is_http ? "HTTP" : "SOCKS5";

    address_text(&p->listener.local, text);
    log_info(log, "%s: %s proxy listening on %s", p->session->name, kind, text);
    if (!p->session->config->proxy_user && !address_is_loopback(&p->listener.local))
        log_warn(log,
                 "%s: the %s proxy on %s is open to everybody who reaches it; set "
                 "\"dynamic_auth\" or bind it to a loopback address",
                 p->session->name, kind, text);
}

enum wsp_err proxy_listeners_start(struct session *s, char error[CONFIG_ERROR_MAX])
{
    size_t count = s->config->dynamic_count;

    s->proxy = calloc(count ? count : 1, sizeof(*s->proxy));
    if (!s->proxy)
        return WSP_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct proxy_listener *p = &s->proxy[i];
        struct listener_options options = {.bind = s->config->dynamic[i].bind,
                                           .port = s->config->dynamic[i].port,
                                           .limit = (size_t)s->client->config->max_connections};
        enum wsp_err err;

        p->session = s;
        p->config = &s->config->dynamic[i];
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
    for (size_t i = 0; s->proxy && i < s->config->dynamic_count; i++)
        listener_stop(&s->proxy[i].listener);
}
