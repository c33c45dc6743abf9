#include "config/wspc_remote.h"

#include <stdlib.h>

#include "config/common.h"
#include "proto/forward.h"

static bool is_http(const struct forward *f)
{
    return slice_eq_str(f->scheme, "http") || slice_eq_str(f->scheme, "https");
}

/* An address as text: no name can be one, since domains are compared with Host. */
static bool is_dns_name(struct slice s)
{
    return config_host_ok(s) && !config_address_ok(s);
}

static const char *mode_fault(const struct forward *f)
{
    if (f->mode.len == 0)
        return is_http(f) ? "expected ?mode=path&value=… or ?mode=domain&value=…"
                          : "a channel without mode is not supported by this version yet";
    if (!slice_eq_str(f->mode, "path") && !slice_eq_str(f->mode, "domain"))
        return "expected a mode of path or domain";
    if (f->value.len == 0)
        return "expected a value for the mode: the path or the domain";
    if (f->value.len > 256)
        return "the value is longer than 256 bytes";
    if (slice_eq_str(f->mode, "domain") && !is_dns_name(f->value))
        return "expected a domain name as value, without port";
    return NULL;
}

/* What is wrong with an entry, or NULL. The texts never quote it: it may hold secrets. */
static const char *fault(const char *url, struct forward *f)
{
    char ignored[1];
    const char *why;

    if (forward_parse(slice_str(url), f, ignored, sizeof(ignored)) != WSP_OK)
        return "expected http://, https:// or tcp:// with host:port and ?mode=…&value=…";
    if (!is_http(f) && !slice_eq_str(f->scheme, "tcp"))
        return slice_eq_str(f->scheme, "tunnel") || slice_eq_str(f->scheme, "unix")
                   ? "this scheme is not supported by this version yet"
                   : "expected a scheme of http://, https:// or tcp://";
    why = mode_fault(f);
    if (why)
        return why;
    if (!config_host_ok(f->host))
        return "expected the service's host, IPv6 in brackets";
    if (f->port == 0 || f->port > 65535 || (f->port < 0 && !is_http(f)))
        return "expected a port from 1 to 65535";
    return NULL;
}

static char *copy(const char *p, size_t len)
{
    return strndup(len ? p : "", len);
}

bool wspc_remote_read(struct json_at *item, struct wspc_remote *out)
{
    char text[FORWARD_URL_MAX + 1];
    struct forward f;
    const char *url, *why;
    size_t len;

    if (!json_expect_string(item, &url))
        return false;
    why = fault(url, &f);
    if (why)
        return json_fail(item, "%s", why);
    if (forward_write(&f, text, sizeof(text), &len) != WSP_OK)
        return json_fail(item, "the URL is too long");
    out->url = copy(text, len);
    forward_redact(&f, text, sizeof(text));
    out->redacted = strdup(text);
    if (forward_channel_name(&f, text, sizeof(text), &len) != WSP_OK)
        return json_fail(item, "the URL is too long");
    out->name = copy(text, len);
    out->host = copy((const char *)f.host.p, f.host.len);
    if (f.port < 0)
        f.port = slice_eq_str(f.scheme, "https") ? 443 : 80;
    out->port = (unsigned)f.port;
    if (!out->url || !out->redacted || !out->name || !out->host)
        return json_fail(item, "out of memory");
    return true;
}

void wspc_remote_fini(struct wspc_remote *r)
{
    free(r->url);
    free(r->redacted);
    free(r->name);
    free(r->host);
}
