#include "config/server_url.h"

#include "config/common.h"

static enum wsp_err fail(const char **why, const char *text)
{
    *why = text;
    return WSP_ERR_CONFIG;
}

/* Removes `prefix`, in any case, from the front of `s`. */
static bool take_prefix(struct slice *s, const char *prefix)
{
    size_t n = strlen(prefix);

    if (s->len < n || !slice_eq_nocase(slice_of(s->p, n), slice_str(prefix)))
        return false;
    slice_advance(s, n);
    return true;
}

/* Bytes before the first one out of `stops`. */
static size_t span(struct slice s, const char *stops)
{
    size_t n = 0;

    while (n < s.len && !strchr(stops, s.p[n]))
        n++;
    return n;
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    return true;
}

/* Splits the authority into the host and what follows it: nothing or ":port". */
static bool split_host(struct server_url *url, struct slice *after)
{
    struct slice s = url->authority;
    bool bracket = s.len > 0 && s.p[0] == '[';
    size_t n;

    if (bracket)
        slice_advance(&s, 1);
    n = span(s, bracket ? "]" : ":");
    url->host = slice_of(s.p, n);
    if (bracket && n == s.len)
        return false;
    slice_advance(&s, bracket ? n + 1 : n);
    *after = s;
    /* Only an IPv6 address has colons, and only that belongs in brackets. */
    return config_host_ok(url->host) && bracket == (span(url->host, ":") < n);
}

static bool parse_port(struct slice after, unsigned *port)
{
    uint64_t v;

    if (after.len == 0)
        return true;
    if (after.p[0] != ':')
        return false;
    slice_advance(&after, 1);
    if (!slice_to_u64(after, &v) || v == 0 || v > 65535)
        return false;
    *port = (unsigned)v;
    return true;
}

enum wsp_err server_url_parse(struct slice text, struct server_url *url, const char **why)
{
    struct server_url u = {.port = 80};
    struct slice after;

    u.secure = take_prefix(&text, "wss://");
    if (u.secure)
        u.port = 443;
    else if (!take_prefix(&text, "ws://"))
        return fail(why, "expected ws:// or wss://, then host[:port][/path][?query]");
    if (!is_printable(text))
        return fail(why, "spaces, control and non-ASCII characters must be percent-encoded");
    if (span(text, "#") < text.len)
        return fail(why, "expected a URL without fragment (#)");
    u.authority = slice_of(text.p, span(text, "/?"));
    slice_advance(&text, u.authority.len);
    u.target = text;
    if (span(u.authority, "@") < u.authority.len)
        return fail(why, "expected a URL without user and password; the secret belongs in auth");
    if (!split_host(&u, &after))
        return fail(why, "expected a host: a name, an IPv4 address or an IPv6 address in brackets");
    if (!parse_port(after, &u.port))
        return fail(why, "expected a port from 1 to 65535 behind the host");
    *url = u;
    return WSP_OK;
}
