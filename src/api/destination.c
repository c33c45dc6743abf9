#include "api/destination.h"

#include <stdlib.h>

#include "api/config.h"
#include "config/common.h"

enum { NAME_MAX_BYTES = 256, HOST_MAX_BYTES = 253 };

static const char *fault(const struct wsp_target *t)
{
    if (!t)
        return "no target is given";
    if (!t->channel && !t->host)
        return "expected a channel, a host, or both";
    if (t->channel && (!*t->channel || strlen(t->channel) > NAME_MAX_BYTES))
        return "expected a channel of 1 to 256 bytes";
    if (t->password && !t->channel)
        return "a password belongs to a channel";
    if (t->password && strlen(t->password) > NAME_MAX_BYTES)
        return "a password can have up to 256 bytes";
    if (t->host && (strlen(t->host) > HOST_MAX_BYTES || !config_host_ok(slice_str(t->host))))
        return "expected a host: a name, or an address without brackets";
    if (t->host && (t->port == 0 || t->port > 65535))
        return "expected a port from 1 to 65535";
    return NULL;
}

enum wsp_err destination_init(struct destination *d, const struct wsp_client *c,
                              const struct wsp_target *target, struct session **session,
                              char *error)
{
    const char *why = fault(target);

    *d = (struct destination){0};
    if (!client_is_usable(c))
        why = "no client is given";
    else if (c->client.draining)
        why = "the client is shutting down";
    if (!why) {
        *session = client_session(&c->client, target->server);
        why = *session ? NULL : "there is no such entry of \"client\"";
    }
    if (why) {
        error_set(error, "%s", why);
        return WSP_ERR_USAGE;
    }
    d->port = target->port;
    if (config_copy_text(&d->channel, target->channel) &&
        config_copy_text(&d->password, target->password) &&
        config_copy_text(&d->host, target->host))
        return WSP_OK;
    destination_fini(d);
    error_set(error, "out of memory");
    return WSP_ERR_NOMEM;
}

struct session_target destination_target(const struct destination *d)
{
    return (struct session_target){.channel = d->channel,
                                   .password = d->password,
                                   .scheme = "socks5",
                                   .host = slice_str(d->host ? d->host : ""),
                                   .port = d->port};
}

void destination_fini(struct destination *d)
{
    if (d->password)
        explicit_bzero(d->password, strlen(d->password));
    free(d->password);
    free(d->channel);
    free(d->host);
    *d = (struct destination){0};
}

const char *destination_refusal(enum wsp_err err)
{
    switch (err) {
    case WSP_ERR_LIMIT:
        return "too many channels are open, or the server takes nothing";
    case WSP_ERR_NOMEM:
        return "out of memory";
    default:
        return "no link to the server";
    }
}
