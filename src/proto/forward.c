#include "proto/forward.h"

#include "proto/forward_text.h"

#include <stdio.h>

/* A URL that is being taken apart. */
struct parser {
    struct forward *f;
    struct forward_text store; /* over f->store */
    struct forward_fault fault;
};

static bool refuse(struct parser *p, const char *why)
{
    p->fault = (struct forward_fault){.prefix = why};
    return false;
}

static bool refuse_token(struct parser *p, const char *prefix, struct slice token,
                         const char *suffix)
{
    p->fault = (struct forward_fault){.prefix = prefix, .token = token, .suffix = suffix};
    return false;
}

/* Ends the string that began at `from` in the store. */
static struct slice store_end(struct parser *p, size_t from)
{
    struct slice s = slice_of(p->store.p + from, p->store.len - from);

    forward_put(&p->store, 0);
    return s;
}

static struct slice store_copy(struct parser *p, struct slice s)
{
    size_t from = p->store.len;

    forward_add(&p->store, s);
    return store_end(p, from);
}

static bool store_decoded(struct parser *p, struct slice s, enum forward_part part,
                          struct slice *out)
{
    size_t from = p->store.len;

    if (!forward_add_decoded(&p->store, s, part, &p->fault))
        return false;
    *out = store_end(p, from);
    return true;
}

/* The offset of the first `c`, s.len without one. */
static size_t find(struct slice s, uint8_t c)
{
    const uint8_t *at = s.len ? memchr(s.p, c, s.len) : NULL;

    return at ? (size_t)(at - s.p) : s.len;
}

/* The offset of the last `c`, s.len without one. */
static size_t find_last(struct slice s, uint8_t c)
{
    const uint8_t *at = s.len ? memrchr(s.p, c, s.len) : NULL;

    return at ? (size_t)(at - s.p) : s.len;
}

static struct slice head(struct slice s, size_t n)
{
    return slice_of(s.p, n);
}

static struct slice tail(struct slice s, size_t n)
{
    return slice_of(s.p + n, s.len - n);
}

/* Cuts `s` at the first `c`, `behind` gets what follows it; false and nothing without one. */
static bool cut(struct slice *s, uint8_t c, struct slice *behind)
{
    size_t at = find(*s, c);
    bool found = at < s->len;

    *behind = tail(*s, found ? at + 1 : at);
    *s = head(*s, at);
    return found;
}

/* Without a scheme Go would take the URL as a relative one, which has faults of its own. */
static bool refuse_relative(struct parser *p, struct slice url)
{
    struct forward_text nowhere = {0};
    struct slice path = head(url, find(url, '?'));

    if (find(head(path, find(path, '/')), ':') < find(path, '/'))
        return refuse(p, "first path segment in URL cannot contain colon");
    if (!forward_add_decoded(&nowhere, path, FORWARD_PATH, &p->fault))
        return false;
    return refuse(p, "missing protocol scheme");
}

static bool take_scheme(struct parser *p, struct slice *rest)
{
    struct slice url = *rest;
    size_t from = p->store.len, n = 0;

    for (; n < url.len && url.p[n] != ':'; n++) {
        uint8_t c = url.p[n], letter = c | 0x20;
        bool is_letter = letter >= 'a' && letter <= 'z';

        if (!is_letter && (n == 0 || c == 0 || !strchr("0123456789+-.", c)))
            return refuse_relative(p, url);
        forward_put(&p->store, is_letter ? letter : c);
    }
    if (n == url.len)
        return refuse_relative(p, url);
    if (n == 0)
        return refuse(p, "missing protocol scheme");
    p->f->scheme = store_end(p, from);
    slice_advance(rest, n + 1);
    return true;
}

static bool parse_port(struct parser *p, struct slice port)
{
    if (!forward_port(port, &p->f->port))
        return refuse_token(p, "invalid port ", port, " after host");
    return true;
}

static void store_raw_host(struct parser *p, struct slice port)
{
    struct forward *f = p->f;
    size_t from = p->store.len;

    if (f->host_is_v6)
        forward_put(&p->store, '[');
    forward_add_escaped(&p->store, f->host, FORWARD_HOST);
    if (f->host_is_v6)
        forward_put(&p->store, ']');
    forward_add(&p->store, port);
    f->raw_host = store_end(p, from);
}

/* The offset of "%25", which leads in a zone; s.len without one. */
static size_t find_zone(struct slice s)
{
    const uint8_t *at = s.len ? memmem(s.p, s.len, "%25", 3) : NULL;

    return at ? (size_t)(at - s.p) : s.len;
}

/* "[address%25zone]:port"; the zone keeps its leading '%' in f->host. */
static bool parse_bracketed(struct parser *p, struct slice host)
{
    size_t close = find_last(host, ']'), from = p->store.len, zone;
    struct slice port, address;

    if (close == host.len)
        return refuse(p, "missing ']' in host");
    port = tail(host, close + 1);
    if (!parse_port(p, port))
        return false;
    host = slice_of(host.p + 1, close - 1);
    zone = find_zone(host);
    if (!forward_add_decoded(&p->store, head(host, zone), FORWARD_HOST, &p->fault))
        return false;
    address = slice_of(p->store.p + from, p->store.len - from);
    if (!forward_add_decoded(&p->store, tail(host, zone), FORWARD_ZONE, &p->fault))
        return false;
    p->f->host = store_end(p, from);
    if (!forward_is_ipv6(address) || host.len - zone == strlen("%25"))
        return refuse(p, "invalid host: not an IPv6 address");
    p->f->host_is_v6 = true;
    store_raw_host(p, port);
    return true;
}

static bool parse_host(struct parser *p, struct slice host)
{
    size_t bracket = find_last(host, '['), colon = find(host, ':');

    if (bracket == 0 && host.len)
        return parse_bracketed(p, host);
    if (bracket != host.len)
        return refuse(p, "invalid IP-literal");
    if (!parse_port(p, tail(host, colon)))
        return false;
    if (!store_decoded(p, head(host, colon), FORWARD_HOST, &p->f->host))
        return false;
    store_raw_host(p, tail(host, colon));
    return true;
}

static bool parse_user_info(struct parser *p, struct slice user)
{
    struct forward *f = p->f;
    struct slice password;

    if (!forward_is_user_info(user))
        return refuse(p, "net/url: invalid userinfo");
    f->has_user = true;
    f->has_password = cut(&user, ':', &password);
    if (!store_decoded(p, user, FORWARD_USER, &f->channel))
        return false;
    return !f->has_password || store_decoded(p, password, FORWARD_USER, &f->password);
}

static bool parse_authority(struct parser *p, struct slice authority)
{
    size_t at = find_last(authority, '@');

    if (at == authority.len)
        return parse_host(p, authority);
    return parse_host(p, tail(authority, at + 1)) && parse_user_info(p, head(authority, at));
}

static bool store_normal(struct parser *p, struct slice s, enum forward_part part,
                         struct slice *out)
{
    size_t from = p->store.len;

    if (!forward_add_normal(&p->store, s, part, &p->fault))
        return false;
    *out = store_end(p, from);
    return true;
}

/* A value for which the store has no room is noted as cut, and not passed over. */
static void find_value(struct parser *p, struct slice query, const char *name, struct slice *value)
{
    char text[FORWARD_URL_MAX];
    size_t len;

    if (forward_query_find(query, name, text, sizeof(text), &len))
        *value = store_copy(p, slice_of(text, len));
}

/* Everything behind "scheme:" and before the fragment. */
static bool parse_rest(struct parser *p, struct slice rest)
{
    struct forward *f = p->f;
    struct slice query;
    size_t path;

    f->has_query = cut(&rest, '?', &query);
    if (rest.len && (rest.len < 2 || memcmp(rest.p, "//", 2) != 0))
        return refuse(p, "missing \"//\" after protocol scheme");
    slice_advance(&rest, rest.len ? 2 : 0);
    path = find(rest, '/');
    if (!parse_authority(p, head(rest, path)) ||
        !store_decoded(p, tail(rest, path), FORWARD_PATH, &f->path) ||
        !store_normal(p, tail(rest, path), FORWARD_PATH, &f->raw_path))
        return false;
    f->query = store_copy(p, query);
    find_value(p, query, "mode", &f->mode);
    find_value(p, query, "value", &f->value);
    return true;
}

static bool parse_url(struct parser *p, struct slice url)
{
    struct slice fragment;

    cut(&url, '#', &fragment);
    if (slice_has_control(url))
        return refuse(p, "net/url: invalid control character in URL");
    if (!take_scheme(p, &url) || !parse_rest(p, url))
        return false;
    if (store_normal(p, fragment, FORWARD_FRAGMENT, &p->f->fragment))
        return true;
    p->fault.in_fragment = true;
    return false;
}

enum wsp_err forward_parse(struct slice url, struct forward *f, char *error, size_t error_cap)
{
    struct parser p = {.f = f, .store = {.p = f->store, .cap = sizeof(f->store)}};
    struct slice empty;

    if (!url.p)
        url = slice_str("");
    memset(f, 0, offsetof(struct forward, store));
    f->port = -1;
    empty = store_end(&p, 0);
    f->channel = f->password = f->mode = f->value = empty;
    if (url.len <= FORWARD_URL_MAX && !parse_url(&p, url)) {
        forward_fault_write(url, &p.fault, error, error_cap);
        return WSP_ERR_MALFORMED;
    }
    if (url.len > FORWARD_URL_MAX || p.store.cut) {
        if (error_cap)
            snprintf(error, error_cap, "URL of more than %d bytes", FORWARD_URL_MAX);
        return WSP_ERR_LIMIT;
    }
    return WSP_OK;
}
