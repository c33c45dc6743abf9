#include "http/rewrite.h"

#include <stdio.h>

#define FORWARDED_FOR "X-Forwarded-For"
#define FORWARDED_PROTO "X-Forwarded-Proto"
#define FORWARDED_HOST "X-Forwarded-Host"
#define FORWARDED "Forwarded" /* RFC 7239 */
#define REAL_IP "X-Real-IP"

struct http_rewrite http_rewrite_for_origin(const struct http1_head *head, struct slice authority,
                                            struct slice path)
{
    struct http_rewrite r = {.target = {{NULL, 0}, path}, .host = authority};

    if (path.len == 0)
        r.target[0] = slice_str(slice_eq_str(head->method, "OPTIONS") ? "*" : "/");
    else if (path.p[0] == '?')
        r.target[0] = slice_str("/");
    return r;
}

static enum wsp_err add(struct buf *out, struct slice s)
{
    return buf_append(out, s.p, s.len);
}

/* Appends all parts, up to the NULL. */
static enum wsp_err add_strings(struct buf *out, const char *const *part)
{
    enum wsp_err err = WSP_OK;

    for (; *part && err == WSP_OK; part++)
        err = add(out, slice_str(*part));
    return err;
}

#define add_text(out, ...) add_strings((out), (const char *const[]){__VA_ARGS__, NULL})

static enum wsp_err add_line(struct buf *out, struct slice line)
{
    enum wsp_err err = add(out, line);

    return err == WSP_OK ? add_text(out, "\r\n") : err;
}

static enum wsp_err add_field(struct buf *out, const char *name, struct slice value)
{
    enum wsp_err err = add_text(out, name, ": ");

    return err == WSP_OK ? add_line(out, value) : err;
}

static bool is_named(const struct http1_header *h, const char *name)
{
    return slice_eq_nocase(h->name, slice_str(name));
}

static enum wsp_err add_request_line(const struct http1_head *head, const struct http_rewrite *r,
                                     struct buf *out)
{
    enum wsp_err err = add(out, head->method);

    if (err == WSP_OK)
        err = add_text(out, " ");
    for (int i = 0; i < 3 && err == WSP_OK; i++)
        err = add(out, r->target[i]);
    return err == WSP_OK ? add_text(out, head->minor ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n") : err;
}

/* What a proxy says of those before it, but for X-Forwarded-For. */
static bool is_claim(const struct http1_header *h)
{
    return is_named(h, FORWARDED_PROTO) || is_named(h, FORWARDED_HOST) || is_named(h, REAL_IP) ||
           is_named(h, FORWARDED);
}

static bool is_dropped(const struct http1_head *head, const struct http_rewrite *r,
                       const struct http1_header *h)
{
    if (r->proto && is_claim(h))
        return !r->believed;
    if (r->believed && is_named(h, FORWARDED_FOR))
        return false;
    if (r->keep_upgrade && is_named(h, "Upgrade"))
        return false;
    if (is_named(h,
                 "HTTP2-Settings")) /* goes with an upgrade to HTTP/2, which is never passed on */
        return true;
    return http1_is_hop_by_hop(head, h);
}

/* The last X-Forwarded-For field, to which ours is appended; NULL when there is none. */
static const struct http1_header *last_forwarded_for(const struct http1_head *head,
                                                     const struct http_rewrite *r)
{
    const struct http1_header *last = NULL;

    for (size_t i = 0; i < head->count; i++)
        if (is_named(&head->header[i], FORWARDED_FOR) && !is_dropped(head, r, &head->header[i]))
            last = &head->header[i];
    return last;
}

/* What the field says is known better here. */
static bool is_ours(const struct http1_head *head, const struct http_rewrite *r, const char *name)
{
    return !r->believed || !http1_find(head, name);
}

static enum wsp_err add_appended(struct buf *out, const struct http1_header *h, struct slice more)
{
    enum wsp_err err = add(out, h->line);

    if (err == WSP_OK)
        err = add_text(out, h->value.len ? ", " : " ");
    return err == WSP_OK ? add_line(out, more) : err;
}

static enum wsp_err add_fields(const struct http1_head *head, const struct http_rewrite *r,
                               const struct http1_header *forwarded_for, struct buf *out)
{
    bool host_written = r->host.len && !http1_find(head, "Host");
    enum wsp_err err = host_written ? add_field(out, "Host", r->host) : WSP_OK;

    for (size_t i = 0; i < head->count && err == WSP_OK; i++) {
        const struct http1_header *h = &head->header[i];

        if (r->host.len && is_named(h, "Host")) {
            if (!host_written)
                err = add_field(out, "Host", r->host);
            host_written = true;
        } else if (h == forwarded_for) {
            err = add_appended(out, h, r->forwarded_for);
        } else if (!is_dropped(head, r, h)) {
            err = add_line(out, h->line);
        }
    }
    return err;
}

enum wsp_err http_rewrite_request(const struct http1_head *head, const struct http_rewrite *r,
                                  struct buf *out)
{
    const struct http1_header *forwarded_for =
        r->forwarded_for.len ? last_forwarded_for(head, r) : NULL;
    enum wsp_err err = add_request_line(head, r, out);

    if (err == WSP_OK)
        err = add_fields(head, r, forwarded_for, out);
    if (err == WSP_OK && r->keep_upgrade)
        err = add_text(out, "Connection: Upgrade\r\n");
    if (err == WSP_OK && r->forwarded_for.len && !forwarded_for)
        err = add_field(out, FORWARDED_FOR, r->forwarded_for);
    if (err == WSP_OK && r->proto && is_ours(head, r, FORWARDED_PROTO))
        err = add_text(out, FORWARDED_PROTO, ": ", r->proto, "\r\n");
    if (err == WSP_OK && r->public_host.len && is_ours(head, r, FORWARDED_HOST))
        err = add_field(out, FORWARDED_HOST, r->public_host);
    return err == WSP_OK ? add_text(out, "\r\n") : err;
}

enum wsp_err http_rewrite_response(const struct http1_head *head, bool close, struct buf *out)
{
    bool upgrade = head->status == 101;
    char line[32];
    enum wsp_err err;

    snprintf(line, sizeof(line), "HTTP/1.%u %03u ", head->minor, head->status);
    err = add_text(out, line);
    if (err == WSP_OK)
        err = add_line(out, head->reason);
    for (size_t i = 0; i < head->count && err == WSP_OK; i++) {
        const struct http1_header *h = &head->header[i];

        if (!http1_is_hop_by_hop(head, h) || (upgrade && is_named(h, "Upgrade")))
            err = add_line(out, h->line);
    }
    if (err == WSP_OK && upgrade)
        err = add_text(out, "Connection: Upgrade\r\n");
    if (err == WSP_OK && close)
        err = add_text(out, "Connection: close\r\n");
    return err == WSP_OK ? add_text(out, "\r\n") : err;
}
