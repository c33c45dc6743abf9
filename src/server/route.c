#include "server/route.h"

/* A request in one of the forms of RFC 9112 section 3.2, taken apart. */
struct destination {
    struct slice host; /* without port */
    struct slice path;
    struct slice query; /* with its '?', or empty */
};

static struct slice cut_query(struct slice *target)
{
    const uint8_t *mark = memchr(target->p, '?', target->len);
    struct slice query = slice_of(NULL, 0);

    if (mark) {
        query = slice_of(mark, target->len - (size_t)(mark - target->p));
        target->len -= query.len;
    }
    return query;
}

/* Empty is allowed (RFC 9110 section 7.2), and so is a colon without a port. */
static bool parse_host(struct slice value, struct slice *host)
{
    int port;

    if (value.len > 1 && value.p[value.len - 1] == ':')
        value.len--;
    return value.len == 0 || http1_authority_parse(value, host, &port) == WSP_OK;
}

/* Host and target must agree on where the request goes; NULL when they do. */
static const char *take_apart(const struct http1_head *head, struct destination *d)
{
    const struct http1_header *host = http1_find(head, "Host");
    struct slice scheme, authority;

    *d = (struct destination){.path = head->target};
    if (http1_count(head, "Host") > 1 || (!host && head->minor == 1))
        return "exactly one Host field is needed";
    if (host && !parse_host(host->value, &d->host))
        return "bad Host";
    if (http1_absolute_split(head->target, &scheme, &authority, &d->path) == WSP_OK) {
        if (!host || !slice_eq_nocase(authority, host->value))
            return "Host differs from the request target";
    } else if (head->target.p[0] != '/' && !slice_eq_str(head->target, "*")) {
        return "bad request target";
    }
    d->query = cut_query(&d->path);
    return NULL;
}

static bool wants_websocket(const struct http1_head *head)
{
    return http1_has_token(head, "Upgrade", "websocket");
}

static bool is_link_shaped(const struct http1_head *head)
{
    return wants_websocket(head) &&
           (http1_find(head, "Proto") || http1_has_token(head, "Sec-WebSocket-Protocol", "wsp.1"));
}

/* What a client of ours sends, though a proxy on its way has taken the upgrade out: its secret is
 * nobody else's business. */
static bool was_link_shaped(const struct http1_head *head)
{
    return !wants_websocket(head) && http1_find(head, "Auth") && http1_find(head, "Proto") &&
           http1_find(head, "Sec-WebSocket-Key");
}

static enum route_kind judge(struct server *s, const struct http1_head *head,
                             const struct destination *d, struct route *out)
{
    bool on_link_path = slice_eq_str(d->path, s->config->path);

    if (on_link_path && is_link_shaped(head))
        return ROUTE_LINK;
    if (on_link_path && was_link_shaped(head))
        return ROUTE_LINK_UPGRADE;
    if ((is_link_shaped(head) && http1_find(head, "Auth")) || was_link_shaped(head))
        return ROUTE_MISTYPED;
    if (slice_eq_str(head->method, "CONNECT"))
        return ROUTE_CONNECT;
    if (out->wrong)
        return ROUTE_WRONG;
    out->service = service_find(s, d->host, d->path, &out->rest);
    if (out->service)
        return ROUTE_SERVICE;
    if (!on_link_path)
        return ROUTE_NONE;
    return wants_websocket(head) ? ROUTE_LINK_UPGRADE : ROUTE_LINK_PATH;
}

void route_find(struct server *s, const struct http1_head *head, struct route *out)
{
    struct destination d;

    *out = (struct route){.wrong = take_apart(head, &d)};
    out->query = d.query;
    out->kind = judge(s, head, &d, out);
}
