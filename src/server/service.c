#include "server/service.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/upstream.h"
#include "proto/egress_rule.h"
#include "server/service_tls.h"

enum {
    PEER_SERVICES_MAX = 1024,
    OFFLINE_US = 300000000, /* a name is remembered so long after its client has gone */
};

static void refuse(struct link *l, struct slice id, const char *text)
{
    struct msg_response r = {.success = false, .error = slice_str(text)};

    log_info(l->opt.log, "%s: registration refused: %s", l->name, text);
    link_respond(l, id, &r);
}

/* What a registration is asked for, checked. */
struct wanted {
    struct forward f;
    enum service_kind kind;
    bool domain;
    char value[SERVICE_VALUE_MAX + 1]; /* without slashes at its ends; a domain in lower case */
    char name[SERVICE_NAME_MAX];
};

static struct slice strip_slashes(struct slice s)
{
    while (s.len && s.p[0] == '/')
        slice_advance(&s, 1);
    while (s.len && s.p[s.len - 1] == '/')
        s.len--;
    return s;
}

static void lower(char *s)
{
    for (; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s | 0x20);
}

/* Letters, digits, '-', '_' and '.'; not an address: those are no names of ours to give away. */
static bool is_domain(struct slice s)
{
    struct egress_rule rule;
    const char *why;
    bool letter = false;

    for (size_t i = 0; i < s.len; i++) {
        bool alpha = (s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z';
        bool other = (s.p[i] >= '0' && s.p[i] <= '9') || strchr("-_.", s.p[i]);

        if (s.p[i] == 0 || (!alpha && !other))
            return false;
        letter = letter || alpha;
    }
    if (!letter || egress_rule_parse(s, &rule, &why) != WSP_OK)
        return false;
    return rule.kind == EGRESS_NAME;
}

/* A path that can be a request's, in visible ASCII; dots would be another path to some. */
static bool is_path(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '?' || s.p[i] == '#')
            return false;
    return s.len > 0 && !slice_eq_str(s, ".") && !slice_eq_str(s, "..") &&
           !memmem(s.p, s.len, "/../", 4) && !memmem(s.p, s.len, "/./", 3);
}

static bool is_well_known(struct slice path)
{
    static const char reserved[] = ".well-known";
    size_t n = sizeof(reserved) - 1;

    return path.len >= n && slice_eq_str(slice_of(path.p, n), reserved) &&
           (path.len == n || path.p[n] == '/');
}

static const char *path_fault(const struct server *s, struct slice value)
{
    if (slice_eq(value, strip_slashes(slice_str(s->config->path))))
        return "setting the same path as wsps is not allowed";
    if (!is_path(value) || is_well_known(value))
        return "channel  is illegal or empty";
    return NULL;
}

static const char *domain_fault(const struct server *s, struct slice value)
{
    if (!s->config->host)
        return "wsps does not set host, domain method is not allowed";
    if (slice_eq_nocase(value, slice_str(s->config->host)))
        return "setting the same domain as wsps is not allowed";
    return is_domain(value) ? NULL : "channel  is illegal or empty";
}

/* A named channel; those of services begin with "http:". */
static const char *judge_channel(struct wanted *w)
{
    static const char reserved[] = "http:";
    struct slice name = w->f.channel;
    size_t n = sizeof(reserved) - 1;

    w->kind = SERVICE_CHANNEL;
    if (w->f.mode.len || name.len == 0 || name.len > SERVICE_VALUE_MAX ||
        memchr(name.p, '\0', name.len) ||
        (name.len >= n && slice_eq_str(slice_of(name.p, n), reserved)))
        return "channel  is illegal or empty";
    memcpy(w->value, name.p, name.len);
    w->value[name.len] = '\0';
    return NULL;
}

/* The texts are those of the original. `text` is room for one that has to be made. */
static const char *judge(const struct server *s, struct wanted *w, char *text, size_t cap)
{
    const struct forward *f = &w->f;
    struct slice value = f->value;
    const char *why;

    if (slice_eq_str(f->scheme, "http"))
        w->kind = SERVICE_HTTP;
    else if (slice_eq_str(f->scheme, "https"))
        w->kind = SERVICE_HTTPS;
    else if (f->mode.len && slice_eq_str(f->scheme, "tcp"))
        w->kind = SERVICE_TCP;
    else
        return judge_channel(w);
    w->domain = slice_eq_str(f->mode, "domain");
    if (!w->domain && !slice_eq_str(f->mode, "path")) {
        snprintf(text, cap, "unsupported http mode %.*s", SLICE_FMT(f->mode));
        return text;
    }
    if (!w->domain)
        value = strip_slashes(value);
    if (value.len == 0 || value.len > SERVICE_VALUE_MAX || memchr(value.p, '\0', value.len))
        return "channel  is illegal or empty";
    why = w->domain ? domain_fault(s, value) : path_fault(s, value);
    if (!why && w->kind == SERVICE_HTTPS)
        why = service_tls_fault(s, f->query);
    memcpy(w->value, value.p, value.len);
    w->value[value.len] = '\0';
    return why;
}

static void name_it(struct wanted *w)
{
    if (w->domain)
        lower(w->value);
    if (w->kind == SERVICE_CHANNEL)
        snprintf(w->name, sizeof(w->name), "%s", w->value);
    else
        snprintf(w->name, sizeof(w->name), "http:%s:%s", w->domain ? "domain" : "path", w->value);
}

static struct slice keep(char **at, struct slice s)
{
    struct slice kept = slice_of(*at, s.len);

    if (s.len)
        memcpy(*at, s.p, s.len);
    *at += s.len;
    return kept;
}

static struct service *service_new(struct peer *p, const struct wanted *w, struct slice url)
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
    s->peer = p;
    s->kind = w->kind;
    s->name = s->node.key = keep(&at, slice_str(w->name));
    s->url = keep(&at, url);
    s->value = keep(&at, slice_str(w->value));
    s->base_slash = base.len && base.p[base.len - 1] == '/';
    while (base.len && base.p[base.len - 1] == '/')
        base.len--;
    s->base = keep(&at, base);
    s->host = keep(&at, f->host);
    s->query = keep(&at, f->query);
    list_init(&s->peer_node);
    list_init(&s->pool);
    list_init(&s->users);
    return s;
}

/* A name whose client has gone is free again. */
static bool name_is_free(struct server *s, const char *name)
{
    struct map_node *n = map_find(&s->services, slice_str(name));
    struct service *old = n ? container_of(n, struct service, node) : NULL;

    if (old && old->peer)
        return false;
    if (old)
        service_free(old);
    return true;
}

void service_register(struct peer *p, struct link *l, struct slice id, struct slice url)
{
    struct msg_response ok = {.success = true};
    struct wanted w;
    struct service *s;
    char text[SERVICE_NAME_MAX + 64];
    const char *why = text;

    if (forward_parse(url, &w.f, text, sizeof(text)) == WSP_OK)
        why = judge(p->server, &w, text, sizeof(text));
    if (why) {
        refuse(l, id, why);
        return;
    }
    name_it(&w);
    if (!name_is_free(p->server, w.name)) {
        snprintf(text, sizeof(text), "channel %s already registered", w.name);
        refuse(l, id, text);
        return;
    }
    if (p->service_count >= PEER_SERVICES_MAX) {
        refuse(l, id, "too many registrations on this link");
        return;
    }
    s = service_new(p, &w, url);
    if (!s || map_add(&p->server->services, &s->node) != WSP_OK) {
        free(s);
        refuse(l, id, "out of memory");
        return;
    }
    list_push(&p->services, &s->peer_node);
    p->service_count++;
    log_info(l->opt.log, "%s: registered %s", l->name, w.name);
    link_respond(l, id, &ok);
}

/* Nobody uses it any more. */
static void let_go(struct service *s)
{
    struct list *node;

    while (!list_empty(&s->users)) {
        struct service_user *u = container_of(s->users.next, struct service_user, node);

        u->end(u);
    }
    while ((node = list_shift(&s->pool)))
        upstream_free(container_of(node, struct upstream, node));
}

void service_free(struct service *s)
{
    map_remove(&s->server->services, &s->node);
    list_remove(&s->peer_node);
    timer_clear(s->server->loop, &s->expiry);
    let_go(s);
    tls_context_unref(s->tls);
    free(s);
}

static void on_expiry(struct timer *t)
{
    service_free(container_of(t, struct service, expiry));
}

void service_offline(struct service *s)
{
    struct wsp_loop *loop = s->server->loop;

    if (s->kind == SERVICE_CHANNEL) {
        service_free(s);
        return;
    }
    let_go(s);
    list_remove(&s->peer_node);
    s->peer = NULL;
    s->expiry.fire = on_expiry;
    if (s->server->draining || timer_set(loop, &s->expiry, loop_now(loop) + OFFLINE_US) != WSP_OK)
        service_free(s);
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
    struct service *found = find(s, "domain", host, true);
    struct slice prefix = path;

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

struct service *service_channel(struct server *s, struct slice name)
{
    struct map_node *n = map_find(&s->services, name);
    struct service *found = n ? container_of(n, struct service, node) : NULL;

    return found && found->kind == SERVICE_CHANNEL ? found : NULL;
}

enum wsp_err service_open(struct service *s, struct chan *ch)
{
    struct msg_request request = {.type = MSG_REMOTE, .url = s->url};

    if (!s->peer)
        return WSP_ERR_REFUSED;
    return link_open(&s->peer->carrier.link, ch, &request);
}
