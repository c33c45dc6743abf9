#include "config/wspc_remote.h"

#include <stdlib.h>

#include "config/common.h"

static bool is_http(const struct forward *f)
{
    return slice_eq_str(f->scheme, "http") || slice_eq_str(f->scheme, "https");
}

/* An address as text: no name can be one, since domains are compared with Host. */
static bool is_dns_name(struct slice s)
{
    return config_host_ok(s) && !config_address_ok(s);
}

/* A misspelt option must not pass for one that was never there. */
static const char *option_fault(const struct forward *f)
{
    static const char *const http[] = {"mode", "value", "proxy_protocol", "insecure", "pin",
                                       "ca",   NULL};
    static const char *const tcp[] = {"mode", "value", "proxy_protocol", "origin", NULL};
    const char *const *known = is_http(f) ? http : tcp;
    struct slice query = f->query;
    enum proxy_version version;

    if (!forward_query_ok(query))
        return "an option behind the '?' cannot be read: mind ';' and bad percent-escapes";
    while (query.len) {
        const uint8_t *end = memchr(query.p, '&', query.len);
        struct slice pair = slice_of(query.p, end ? (size_t)(end - query.p) : query.len);
        const uint8_t *equals = pair.len ? memchr(pair.p, '=', pair.len) : NULL;
        struct slice key = slice_of(pair.p, equals ? (size_t)(equals - pair.p) : pair.len);
        bool found = pair.len == 0;

        for (size_t i = 0; known[i]; i++)
            found = found || slice_eq_str(key, known[i]);
        if (!found)
            return is_http(f)
                       ? "unknown option: expected mode, value, proxy_protocol, insecure, pin or ca"
                       : "unknown option: expected mode, value, proxy_protocol or origin";
        slice_advance(&query, pair.len + (end ? 1 : 0));
    }
    return forward_proxy_version(f, &version) ? NULL : "expected v1 or v2 as proxy_protocol";
}

static const char *mode_fault(const struct forward *f)
{
    if (!slice_eq_str(f->mode, "path") && !slice_eq_str(f->mode, "domain"))
        return "expected a mode of path or domain";
    if (f->value.len == 0)
        return "expected a value for the mode: the path or the domain";
    if (f->value.len > 256)
        return "the value is longer than 256 bytes";
    if (slice_eq_str(f->mode, "domain") && !is_dns_name(f->value))
        return "expected a domain name as value, without port";
    return option_fault(f);
}

static const char *channel_fault(const struct forward *f)
{
    static const char reserved[] = "http:";
    size_t n = sizeof(reserved) - 1;
    enum proxy_version version;

    if (f->channel.len == 0)
        return "expected a channel (tcp://channel:password@host:port) or ?mode=…&value=…";
    if (f->channel.len > 256 || f->password.len > 256)
        return "channel and password can have up to 256 bytes";
    if (memchr(f->channel.p, '\0', f->channel.len) ||
        (f->password.len && memchr(f->password.p, '\0', f->password.len)))
        return "a NUL byte in channel or password";
    if (f->channel.len >= n && slice_eq_str(slice_of(f->channel.p, n), reserved))
        return "a channel must not begin with \"http:\"";
    if (!forward_proxy_version(f, &version) || version != PROXY_NONE)
        return "proxy_protocol needs a mode: what comes over a channel has no visitor's address";
    return NULL;
}

const char *config_unix_fault(const struct forward *f)
{
    if (f->host.len || f->port >= 0 || f->path.len < 2 || f->path.p[0] != '/')
        return "expected unix://channel[:password]@/path";
    if (f->path.len > CONFIG_UNIX_PATH_MAX || memchr(f->path.p, '\0', f->path.len))
        return "the path of a unix socket can have up to 107 bytes";
    if (f->query.len || f->fragment.len)
        return "expected nothing behind the path";
    return NULL;
}

static const char *kind_fault(const struct forward *f)
{
    if (is_http(f))
        return f->mode.len ? mode_fault(f) : "expected ?mode=path&value=… or ?mode=domain&value=…";
    if (slice_eq_str(f->scheme, "tunnel") || slice_eq_str(f->scheme, "unix"))
        return channel_fault(f);
    if (!slice_eq_str(f->scheme, "tcp"))
        return "expected a scheme of http://, https://, tcp://, unix:// or tunnel://";
    return f->mode.len ? mode_fault(f) : channel_fault(f);
}

/* What is wrong with an entry, or NULL. The texts never quote it: it may hold secrets. */
static const char *fault(const char *url, struct forward *f)
{
    char ignored[1];
    const char *why;

    if (forward_parse(slice_str(url), f, ignored, sizeof(ignored)) != WSP_OK)
        return "expected a URL such as http://host:port?mode=path&value=NAME or "
               "tcp://channel:password@host:port";
    why = kind_fault(f);
    if (why || slice_eq_str(f->scheme, "tunnel"))
        return why;
    if (slice_eq_str(f->scheme, "unix"))
        return config_unix_fault(f);
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

/* What the URL says, in strings of our own. False without memory. */
static bool take(struct forward *f, struct wspc_remote *out)
{
    char text[FORWARD_URL_MAX + 1];
    bool has_password = f->mode.len == 0 && f->has_password;

    forward_redact(f, text, sizeof(text));
    out->redacted = strdup(text);
    out->is_unix = slice_eq_str(f->scheme, "unix");
    out->host = out->is_unix ? copy((const char *)f->path.p, f->path.len)
                             : copy((const char *)f->host.p, f->host.len);
    out->is_tunnel = slice_eq_str(f->scheme, "tunnel");
    if (has_password)
        out->password = copy((const char *)f->password.p, f->password.len);
    if (f->port < 0)
        f->port = slice_eq_str(f->scheme, "https") ? 443 : 80;
    out->port = (unsigned)f->port;
    return out->url && out->redacted && out->name && out->host && (!has_password || out->password);
}

const char *wspc_remote_parse(const char *url, struct wspc_remote *out)
{
    char text[FORWARD_URL_MAX + 1];
    struct forward f;
    const char *why = fault(url, &f);
    size_t len;

    if (why)
        return why;
    if (forward_write(&f, text, sizeof(text), &len) != WSP_OK)
        return "the URL is too long";
    out->url = copy(text, len);
    if (forward_channel_name(&f, text, sizeof(text), &len) != WSP_OK)
        return "the URL is too long";
    out->name = copy(text, len);
    return take(&f, out) ? NULL : "out of memory";
}

bool wspc_remote_read(struct json_at *item, struct wspc_remote *out)
{
    const char *url, *why;

    if (!json_expect_string(item, &url))
        return false;
    why = wspc_remote_parse(url, out);
    if (why)
        return json_fail(item, "%s", why);
    out->is_overlaid = json_is_graft(item);
    return true;
}

void wspc_remote_fini(struct wspc_remote *r)
{
    free(r->url);
    free(r->redacted);
    free(r->name);
    free(r->password);
    free(r->host);
    *r = (struct wspc_remote){0};
}
