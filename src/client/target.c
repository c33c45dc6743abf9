#include "client/target.h"

#include <stdio.h>

#include "client/registration.h"

/* The request's type does not matter, as in the original: the name says what is asked for. */
void target_open(struct session *s, struct slice id, const struct msg_request *request)
{
    struct link *l = &s->carrier.link;
    struct forward f;
    char name[FORWARD_URL_MAX], text[512] = "";
    const struct wspc_remote *remote = NULL;
    size_t len;

    if (s->client->draining) {
        snprintf(text, sizeof(text), "the client is shutting down");
    } else if (forward_parse(request->url, &f, text, sizeof(text)) == WSP_OK) {
        if (forward_channel_name(&f, name, sizeof(name), &len) != WSP_OK)
            len = 0;
        remote = registration_find(s, slice_of(name, len));
        snprintf(text, sizeof(text), "%.*s not found", (int)(len > 256 ? 256 : len), name);
    }
    if (remote) {
        log_debug(loop_log(s->client->loop), "%s chan %.*s: CONNECT for %s", s->name, SLICE_FMT(id),
                  remote->name);
        outbound_open(&s->targets, l, id, slice_str(remote->host), remote->port);
    } else {
        struct msg_response r = {.success = false, .error = slice_str(text)};

        link_respond(l, id, &r);
    }
}
