/* REMOTE CONNECTs: what may be registered, under which name, and what is said if it may not. */
#include "server/register.h"

#include <stdio.h>

#include "proto/egress_rule.h"
#include "proto/http1.h"
#include "server/claim.h"
#include "server/service_tls.h"

enum { PEER_SERVICES_MAX = 1024 };

void register_refused(struct peer *p, const char *name, const char *why)
{
    struct server *s = p->server;
    const char *link = p->carrier.link.name;
    struct wsp_event e = {.kind = WSP_NAME_REFUSED, .link = link, .name = name, .text = why};

    if (log_limit_ok(&s->noise, loop_now(s->loop)))
        log_info(loop_log(s->loop), "%s: registration refused: %s", link, why);
    server_tell(s, &e);
}

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
    return s.len > 0 && !http1_has_dot_segment(s);
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
static const char *judge_channel(struct service_wanted *w)
{
    static const char reserved[] = "http:";
    struct slice name = w->f.channel;
    size_t n = sizeof(reserved) - 1;

    w->kind = SERVICE_CHANNEL;
    w->domain = false;
    w->proxy = PROXY_NONE;
    if (w->f.mode.len || name.len == 0 || name.len > SERVICE_VALUE_MAX ||
        memchr(name.p, '\0', name.len) ||
        (name.len >= n && slice_eq_str(slice_of(name.p, n), reserved)))
        return "channel  is illegal or empty";
    memcpy(w->value, name.p, name.len);
    w->value[name.len] = '\0';
    return NULL;
}

/* The texts are those of the original. `text` is room for one that has to be made. */
static const char *judge(const struct server *s, struct service_wanted *w, char *text, size_t cap)
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
    if (!forward_query_ok(f->query))
        return "channel  is illegal or empty: an option cannot be read";
    if (!w->domain && !slice_eq_str(f->mode, "path")) {
        snprintf(text, cap, "unsupported http mode %.*s", SLICE_FMT(f->mode));
        return text;
    }
    if (!w->domain)
        value = strip_slashes(value);
    else if (value.len > 1 && value.p[value.len - 1] == '.')
        value.len--;
    if (value.len == 0 || value.len > SERVICE_VALUE_MAX || memchr(value.p, '\0', value.len))
        return "channel  is illegal or empty";
    why = w->domain ? domain_fault(s, value) : path_fault(s, value);
    if (!why && w->kind == SERVICE_HTTPS)
        why = service_tls_fault(s, f->query);
    if (!why && !forward_proxy_version(f, &w->proxy))
        why = "proxy_protocol must be v1 or v2";
    memcpy(w->value, value.p, value.len);
    w->value[value.len] = '\0';
    return why;
}

static void name_it(struct service_wanted *w)
{
    if (w->domain)
        lower(w->value);
    if (w->kind == SERVICE_CHANNEL)
        snprintf(w->name, sizeof(w->name), "%s", w->value);
    else
        snprintf(w->name, sizeof(w->name), "http:%s:%s", w->domain ? "domain" : "path", w->value);
}

/* The one who has the name; a name whose client has gone is free again. */
static struct service *holder_of(struct server *s, const char *name)
{
    struct service *old = service_named(s, slice_str(name));

    if (old && !old->instance) {
        service_free(old);
        old = NULL;
    }
    return old;
}

/* The link with which an instance had registered a name has gone or is about to, and it does so on
 * another. */
static bool is_renewal(const struct peer *p, const struct service *held)
{
    return held->instance == p->instance && link_speaks(&p->carrier.link) == LINK_WSP_1 &&
           claim_link(held->claim) != &p->carrier.link;
}

const char *register_url(struct peer *p, struct slice url, struct register_result *r)
{
    struct service_wanted w;
    const char *why = r->text;

    *r = (struct register_result){0};
    w.value[0] = '\0';
    if (forward_parse(url, &w.f, r->text, sizeof(r->text)) == WSP_OK)
        why = judge(p->server, &w, r->text, sizeof(r->text));
    if (w.value[0]) {
        name_it(&w);
        memcpy(r->name, w.name, sizeof(r->name));
    }
    if (why)
        return why;
    r->holder = holder_of(p->server, w.name);
    if (r->holder && is_renewal(p, r->holder)) {
        claim_end(r->holder->claim);
        r->service = r->holder;
        r->holder = NULL;
        if (slice_eq(r->service->url, url))
            return NULL;
        service_withdraw(r->service);
    }
    if (r->holder) {
        snprintf(r->text, sizeof(r->text), "channel %s already registered", w.name);
        return r->text;
    }
    if (!link_takes_opens(&p->carrier.link))
        return "goaway: this link takes nothing new";
    if (p->instance->service_count >= PEER_SERVICES_MAX)
        return "too many registrations on this link";
    r->service = service_new(p, &w, url);
    if (!r->service)
        return "out of memory";
    if (log_limit_ok(&p->noise, loop_now(p->server->loop)))
        log_info(loop_log(p->server->loop), "%s: registered %s", p->carrier.link.name, w.name);
    return NULL;
}

void register_request(struct peer *p, struct link *l, struct slice id, struct slice url)
{
    struct register_result r;
    const char *why = register_url(p, url, &r);

    if (!why) {
        claim_grant(p, id, r.service);
    } else if (!r.holder || r.holder->instance == p->instance ||
               !claim_contest(p, id, url, r.holder)) {
        register_refused(p, r.name, why);
        link_refuse(l, id, why);
    }
}
