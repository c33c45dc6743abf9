#include "server/service.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/upstream.h"
#include "net/tls_context.h"
#include "server/claim.h"

enum {
    OFFLINE_MAX = 1024,     /* names remembered */
    OFFLINE_US = 300000000, /* a name is remembered so long after its client has gone */
};

static struct slice keep(char **at, struct slice s)
{
    struct slice kept = slice_of(*at, s.len);

    if (s.len)
        memcpy(*at, s.p, s.len);
    *at += s.len;
    return kept;
}

struct service *service_new(struct peer *p, const struct service_wanted *w, struct slice url)
{
    const struct forward *f = &w->f;
    struct slice base = f->raw_path;
    size_t room =
        strlen(w->name) + url.len + strlen(w->value) + base.len + f->host.len + f->query.len;
    struct service *s = calloc(1, sizeof(*s) + room);
    char *at;

    if (!s)
        return NULL;
    at = s->memory;
    s->server = p->server;
    s->instance = p->instance;
    s->kind = w->kind;
    s->proxy = w->proxy;
    s->name = s->node.key = keep(&at, slice_str(w->name));
    s->url = keep(&at, url);
    s->value = keep(&at, slice_str(w->value));
    s->base_slash = base.len && base.p[base.len - 1] == '/';
    while (base.len && base.p[base.len - 1] == '/')
        base.len--;
    s->base = keep(&at, base);
    s->host = keep(&at, f->host);
    s->query = keep(&at, f->query);
    list_init(&s->instance_node);
    list_init(&s->pool);
    list_init(&s->users);
    if (map_add(&p->server->services, &s->node) != WSP_OK) {
        free(s);
        return NULL;
    }
    list_push(&p->instance->services, &s->instance_node);
    p->instance->service_count++;
    return s;
}

/* Nobody uses it any more. */
static void let_go(struct service *s, bool gently)
{
    struct list *node;

    while (!list_empty(&s->users)) {
        struct service_user *u = container_of(s->users.next, struct service_user, node);

        u->end(u, gently);
    }
    while ((node = list_shift(&s->pool)))
        upstream_free(container_of(node, struct upstream, node));
}

static void tell(const struct service *s, enum wsp_event_kind kind)
{
    char name[SERVICE_NAME_MAX];
    struct wsp_event e = {.kind = kind, .link = s->link, .name = name};

    snprintf(name, sizeof(name), "%.*s", SLICE_FMT(s->name));
    server_tell(s->server, &e);
}

void service_registered(struct service *s, const struct peer *p)
{
    memcpy(s->link, p->carrier.link.name, sizeof(s->link));
    tell(s, WSP_NAME_REGISTERED);
}

/* Its client has it no more. */
static void leave_instance(struct service *s)
{
    if (s->instance) {
        s->instance->service_count--;
        if (s->link[0])
            tell(s, WSP_NAME_GONE);
    }
    s->instance = NULL;
    list_remove(&s->instance_node);
    claim_end(s->claim);
}

void service_leave_link(struct service *s, const struct link *l)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->pool) {
        struct upstream *u = container_of(node, struct upstream, node);

        if (upstream_chan(u)->link == l)
            upstream_free(u);
    }
}

void service_free(struct service *s)
{
    map_remove(&s->server->services, &s->node);
    if (!s->instance)
        s->server->offline_count--;
    leave_instance(s);
    timer_clear(s->server->loop, &s->expiry);
    let_go(s, false);
    tls_context_unref(s->tls);
    free(s);
}

void service_withdraw(struct service *s)
{
    let_go(s, true);
    service_free(s);
}

static void on_expiry(struct timer *t)
{
    service_free(container_of(t, struct service, expiry));
}

void service_offline(struct service *s, bool gently)
{
    struct wsp_loop *loop = s->server->loop;

    let_go(s, gently);
    if (s->kind == SERVICE_CHANNEL || s->server->draining ||
        s->server->offline_count >= OFFLINE_MAX) {
        service_free(s);
        return;
    }
    leave_instance(s);
    s->server->offline_count++;
    tls_context_unref(s->tls);
    s->tls = NULL;
    s->expiry.fire = on_expiry;
    if (timer_set(loop, &s->expiry, loop_now(loop) + OFFLINE_US) != WSP_OK)
        service_free(s);
}

static void lower(char *s)
{
    for (; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s | 0x20);
}

static struct service *find(struct server *s, const char *kind, struct slice value, bool fold)
{
    char name[SERVICE_NAME_MAX];
    struct map_node *n;

    if (value.len > SERVICE_VALUE_MAX)
        return NULL;
    snprintf(name, sizeof(name), "http:%s:%.*s", kind, SLICE_FMT(value));
    if (fold)
        lower(name);
    n = map_find(&s->services, slice_str(name));
    return n ? container_of(n, struct service, node) : NULL;
}

static size_t last_slash(struct slice s)
{
    while (s.len && s.p[s.len - 1] != '/')
        s.len--;
    return s.len ? s.len - 1 : 0;
}

struct service *service_find(struct server *s, struct slice host, struct slice path,
                             struct slice *rest)
{
    struct service *found;
    struct slice prefix = path;

    if (host.len > 1 && host.p[host.len - 1] == '.')
        host.len--; /* the root of the DNS, written out */
    found = find(s, "domain", host, true);
    *rest = path;
    if (found || path.len == 0 || path.p[0] != '/')
        return found;
    /* From the longest prefix that ends at a slash to the shortest; long ones name nothing. */
    if (prefix.len > SERVICE_VALUE_MAX + 1) {
        prefix.len = SERVICE_VALUE_MAX + 2;
        prefix.len = last_slash(prefix);
    }
    while (prefix.len > 1) {
        found = find(s, "path", slice_of(prefix.p + 1, prefix.len - 1), false);
        if (found) {
            slice_advance(rest, prefix.len);
            return found;
        }
        prefix.len = last_slash(prefix);
    }
    return NULL;
}

bool service_option(const struct service *s, const char *key, char *out, size_t cap)
{
    size_t len;

    if (cap == 0 || !forward_query_find(s->query, key, out, cap - 1, &len))
        return false;
    out[len] = '\0';
    return true;
}

struct service *service_named(struct server *s, struct slice name)
{
    struct map_node *n = map_find(&s->services, name);

    return n ? container_of(n, struct service, node) : NULL;
}

enum wsp_err service_open(struct service *s, struct chan *ch)
{
    struct msg_request request = {.type = MSG_REMOTE, .url = s->url};

    struct link *l = s->instance ? instance_link(s->instance) : NULL;

    return l ? link_open(l, ch, &request) : WSP_ERR_REFUSED;
}
