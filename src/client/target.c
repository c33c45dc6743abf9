#include "client/target.h"

#include <stdio.h>

#include "client/registration.h"

enum { NAME_SHOWN_MAX = 256 };

static bool password_ok(const struct wspc_remote *remote, const struct forward *f)
{
    return slice_eq_secret(f->password, slice_str(remote->password ? remote->password : ""));
}

static void dial(struct session *s, struct link *l, struct slice id,
                 const struct wspc_remote *remote, const struct forward *f)
{
    struct slice host = slice_str(remote->host);
    unsigned port = remote->port;
    char text[512];

    if (remote->is_tunnel) {
        host = f->host;
        port = f->port > 0 ? (unsigned)f->port : 0;
        if (host.len == 0 || host.len > 253 || port == 0 || memchr(host.p, '\0', host.len) ||
            !egress_host_ok(&s->client->egress, host, port)) {
            egress_refusal(host, f->port, text, sizeof(text));
            link_refuse(l, id, text);
            return;
        }
    }
    log_debug(loop_log(s->client->loop), "%s chan %.*s: CONNECT for %s", l->name, SLICE_FMT(id),
              remote->name);
    if (remote->is_unix)
        outbound_open_unix(&s->targets, l, id, host);
    else
        outbound_open(remote->is_tunnel ? &s->exits : &s->targets, l, id, host, port);
}

/* The request's type does not matter, as in the original: the name says what is asked for. */
void target_open(struct session *s, struct link *l, struct slice id,
                 const struct msg_request *request)
{
    const struct registration *found;
    struct forward f;
    char name[FORWARD_URL_MAX], text[512] = "";
    size_t len;
    int shown;

    if (s->draining) {
        link_refuse(l, id, "the client is shutting down");
        return;
    }
    if (forward_parse(request->url, &f, text, sizeof(text)) != WSP_OK) {
        link_refuse(l, id, text);
        return;
    }
    if (forward_open_name(&f, name, sizeof(name), &len) != WSP_OK)
        len = 0;
    shown = (int)(len > NAME_SHOWN_MAX ? NAME_SHOWN_MAX : len);
    found = registration_find(s, slice_of(name, len));
    if (!found)
        snprintf(text, sizeof(text), "%.*s not found", shown, name);
    else if (!password_ok(&found->remote, &f))
        snprintf(text, sizeof(text), "%.*s password is incorrect", shown, name);
    else
        text[0] = '\0';
    if (text[0])
        link_refuse(l, id, text);
    else if (found->served)
        found->served->open(found->served, s, l, id);
    else
        dial(s, l, id, &found->remote, &f);
}
