#include "server/exit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/forward.h"

void exit_free(struct exit_conn *e)
{
    struct server *s = e->server;

    dial_cancel(&e->dial);
    relay_fini(&e->relay);
    list_remove(&e->node);
    free(e);
    server_exit_ended(s);
}

static void on_done(struct relay *r)
{
    exit_free(container_of(r, struct exit_conn, relay));
}

/* While dialling the client may cancel, or its link end: then nothing is left to relay. */
static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct exit_conn *e = container_of(ch, struct exit_conn, relay.chan);

    if (e->relay.started)
        relay_closed(ch, end, text);
    else
        exit_free(e);
}

static const struct chan_ops exit_ops = {
    .closed = on_closed,
    .deliver = relay_deliver,
    .pull = relay_pull,
};

static bool address_allowed(void *ctx, const struct address *address)
{
    struct exit_conn *e = ctx;

    return egress_address_ok(&e->server->egress, slice_str(e->host), address);
}

static void local_address(int fd, char out[ADDRESS_TEXT_MAX])
{
    struct address a = {.len = sizeof(a.storage)};

    out[0] = '\0';
    if (getsockname(fd, &a.sa, &a.len) == 0)
        address_text(&a, out);
}

static void on_dialled(struct dial *d, enum dial_status status, int fd, const char *text)
{
    struct exit_conn *e = container_of(d, struct exit_conn, dial);
    char bound[ADDRESS_TEXT_MAX];

    if (status != DIAL_OK) {
        chan_refuse(&e->relay.chan, slice_str(text));
        exit_free(e);
        return;
    }
    local_address(fd, bound);
    if (stream_init(&e->relay.stream, e->server->loop, fd, NULL) != WSP_OK ||
        relay_start(&e->relay, slice_of(NULL, 0)) != WSP_OK) {
        chan_refuse(&e->relay.chan, slice_str("out of resources"));
        exit_free(e);
        return;
    }
    chan_accept(&e->relay.chan, slice_str(bound));
}

/* The schemes of the original; others are names of networks there. NULL when the URL is fine. */
static const char *check_target(const struct forward *f, char *text, size_t cap)
{
    static const char *const tcp[] = {"socks5", "http", "https", "tcp", "tcp4", "tcp6"};
    bool known = false;

    for (size_t i = 0; i < sizeof(tcp) / sizeof(*tcp); i++)
        known = known || slice_eq_str(f->scheme, tcp[i]);
    if (!known)
        snprintf(text, cap, "dial %.*s: unknown network %.*s", SLICE_FMT(f->scheme),
                 SLICE_FMT(f->scheme));
    else if (f->port < 0)
        snprintf(text, cap, "dial tcp: address %.*s: missing port in address", SLICE_FMT(f->host));
    else if (f->host.len == 0 || f->port == 0 || f->host.len > 253 ||
             memchr(f->host.p, '\0', f->host.len))
        snprintf(text, cap, "dial tcp %.*s:%d: bad address", SLICE_FMT(f->host), f->port);
    else
        return NULL;
    return text;
}

static enum wsp_err start(struct exit_conn *e, struct link *l, struct slice id)
{
    struct dial_options options = {
        .host = e->host,
        .port = e->port,
        .timeout_us = e->server->config->time.dial_us,
        .allowed = address_allowed,
        .ctx = e,
    };
    enum wsp_err err = link_adopt(l, &e->relay.chan, id);

    if (err == WSP_OK)
        err = dial_start(e->server->loop, e->server->resolver, &e->dial, &options);
    return err;
}

static struct exit_conn *exit_new(struct server *s, const struct forward *f)
{
    struct exit_conn *e = calloc(1, sizeof(*e) + f->host.len + 1);

    if (!e)
        return NULL;
    relay_init(&e->relay, s->loop, &exit_ops, on_done);
    e->server = s;
    e->dial.on_done = on_dialled;
    e->port = (unsigned)f->port;
    memcpy(e->host, f->host.p, f->host.len);
    list_push(&s->exits, &e->node);
    return e;
}

static void refuse(struct link *l, struct slice id, const char *text)
{
    struct msg_response r = {.success = false, .error = slice_str(text)};

    link_respond(l, id, &r);
}

void exit_open(struct server *s, struct link *l, struct slice id, struct slice url)
{
    struct forward f;
    char text[512];
    struct exit_conn *e;

    if (forward_parse(url, &f, text, sizeof(text)) != WSP_OK ||
        check_target(&f, text, sizeof(text))) {
        refuse(l, id, text);
        return;
    }
    log_debug(loop_log(s->loop), "%s chan %.*s: CONNECT DYNAMIC to %.*s port %d", l->name,
              SLICE_FMT(id), SLICE_FMT(f.host), f.port);
    e = exit_new(s, &f);
    if (!e) {
        refuse(l, id, "out of memory");
        return;
    }
    if (!egress_host_ok(&s->egress, slice_str(e->host), e->port)) {
        snprintf(text, sizeof(text), "dial tcp %s:%u: not allowed by egress rules", e->host,
                 e->port);
        refuse(l, id, text);
        exit_free(e);
    } else if (start(e, l, id) != WSP_OK) {
        if (!chan_live(&e->relay.chan))
            refuse(l, id, "out of memory");
        exit_free(e); /* answers FAILED when the channel is live */
    }
}
