#include "proto/forward.h"

#include "proto/forward_text.h"

#include <stdio.h>

static struct forward_text text_of(char *out, size_t cap)
{
    return (struct forward_text){.p = out, .cap = cap < FORWARD_URL_MAX ? cap : FORWARD_URL_MAX};
}

static enum wsp_err finish(const struct forward_text *t, size_t *len)
{
    if (t->cut)
        return WSP_ERR_LIMIT;
    *len = t->len;
    return WSP_OK;
}

/* `password` may be NULL: there is none. */
static void add_user_info(struct forward_text *t, struct slice channel,
                          const struct slice *password)
{
    forward_add_escaped(t, channel, FORWARD_USER);
    if (password) {
        forward_put(t, ':');
        forward_add_escaped(t, *password, FORWARD_USER);
    }
    forward_put(t, '@');
}

static void add_url(struct forward_text *t, const struct forward *f, bool redact)
{
    forward_add(t, f->scheme);
    forward_put(t, ':');
    /* Go leaves the slashes out when nothing follows them */
    if (f->has_user || f->raw_host.len || f->raw_path.len)
        forward_add_str(t, "//");
    if (f->has_user && f->has_password && redact) {
        forward_add_escaped(t, f->channel, FORWARD_USER);
        forward_add_str(t, ":***@");
    } else if (f->has_user) {
        add_user_info(t, f->channel, f->has_password ? &f->password : NULL);
    }
    forward_add(t, f->raw_host);
    forward_add(t, f->raw_path);
    if (f->has_query)
        forward_put(t, '?');
    forward_add(t, f->query);
    if (f->fragment.len)
        forward_put(t, '#');
    forward_add(t, f->fragment);
}

enum wsp_err forward_write(const struct forward *f, char *out, size_t cap, size_t *len)
{
    struct forward_text t = text_of(out, cap);

    add_url(&t, f, false);
    return finish(&t, len);
}

void forward_redact(const struct forward *f, char *out, size_t cap)
{
    struct forward_text t = {.p = out, .cap = cap ? cap - 1 : 0};

    if (cap == 0)
        return;
    add_url(&t, f, true);
    out[t.len] = '\0';
}

static void add_port(struct forward_text *t, unsigned port)
{
    char text[16];

    snprintf(text, sizeof(text), ":%u", port);
    forward_add_str(t, text);
}

enum wsp_err forward_open_write(const struct forward_open *o, char *out, size_t cap, size_t *len)
{
    struct forward_text t = text_of(out, cap);
    bool brackets = o->host.len && memchr(o->host.p, ':', o->host.len);

    forward_add_str(&t, o->scheme);
    forward_add_str(&t, "://");
    if (o->channel.len)
        add_user_info(&t, o->channel, o->has_password ? &o->password : NULL);
    if (brackets)
        forward_put(&t, '[');
    forward_add_escaped(&t, o->host, FORWARD_HOST);
    if (brackets)
        forward_put(&t, ']');
    add_port(&t, o->port);
    return finish(&t, len);
}

enum wsp_err forward_channel_name(const struct forward *f, char *out, size_t cap, size_t *len)
{
    struct forward_text t = text_of(out, cap);
    bool http = slice_eq_str(f->scheme, "http") || slice_eq_str(f->scheme, "https");

    if (http || f->mode.len) {
        forward_add_str(&t, "http:");
        forward_add(&t, f->mode);
        forward_put(&t, ':');
        forward_add(&t, f->value);
    } else {
        forward_add(&t, f->channel);
    }
    return finish(&t, len);
}

enum wsp_err forward_open_name(const struct forward *f, char *out, size_t cap, size_t *len)
{
    if (f->channel.len == 0 || f->mode.len)
        return forward_channel_name(f, out, cap, len);
    if (f->channel.len > cap)
        return WSP_ERR_LIMIT;
    memcpy(out, f->channel.p, f->channel.len);
    *len = f->channel.len;
    return WSP_OK;
}
