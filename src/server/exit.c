#include "server/exit.h"

#include <stdio.h>

#include "proto/forward.h"

static bool address_allowed(struct outbound_owner *owner, const char *host,
                            const struct address *address)
{
    struct server *s = container_of(owner, struct server, exits);

    return egress_address_ok(&s->egress, slice_str(host), address);
}

static void on_ended(struct outbound_owner *owner)
{
    server_use_ended(container_of(owner, struct server, exits));
}

void exit_init(struct server *s)
{
    outbound_owner_init(&s->exits, s->loop, s->resolver, s->config->time.dial_us);
    s->exits.allowed = address_allowed;
    s->exits.on_ended = on_ended;
}

/* The schemes of the original; others are names of networks there. False when `text` says why. */
static bool check_target(const struct server *s, const struct forward *f, char *text, size_t cap)
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
    else if (!egress_host_ok(&s->egress, f->host, (unsigned)f->port))
        egress_refusal(f->host, f->port, text, cap);
    else
        return true;
    return false;
}

void exit_open(struct server *s, struct link *l, struct slice id, struct slice url)
{
    struct forward f;
    char text[512];

    if (forward_parse(url, &f, text, sizeof(text)) != WSP_OK ||
        !check_target(s, &f, text, sizeof(text))) {
        link_refuse(l, id, text);
        return;
    }
    log_debug(loop_log(s->loop), "%s chan %.*s: CONNECT DYNAMIC to %.*s port %d", l->name,
              SLICE_FMT(id), SLICE_FMT(f.host), f.port);
    outbound_open(&s->exits, l, id, f.host, (unsigned)f.port);
}
