#include "config/proxy.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/common.h"
#include "proto/forward.h"
#include "proto/no_proxy.h"

#define FORM                                                                                \
    "expected http://[user:password@]host[:port], socks5://[user:password@]host[:port] or " \
    "\"none\""

enum {
    HTTP_PORT = 80,
    SOCKS5_PORT = 1080,
};

void config_proxy_fini(struct config_proxy *p)
{
    free(p->host);
    free(p->user);
    free(p->password);
    free(p->shown);
    *p = (struct config_proxy){0};
}

static const char *credentials_fault(const struct forward *f, enum proxy_kind kind)
{
    bool socks5 = kind == PROXY_SOCKS5;
    size_t max = socks5 ? PROXY_SOCKS5_CREDENTIAL_MAX : PROXY_CREDENTIAL_MAX;

    if (!f->has_user)
        return NULL;
    if (f->channel.len == 0)
        return "expected a user before the '@'";
    if (f->channel.len > max || f->password.len > max)
        return socks5 ? "user and password can have up to 255 bytes"
                      : "user and password can have up to 1024 bytes";
    if (slice_has_control(f->channel) || slice_has_control(f->password))
        return "control bytes are not allowed in user and password";
    if (!socks5 && memchr(f->channel.p, ':', f->channel.len)) /* RFC 7617 section 2 */
        return "a user of an HTTP proxy cannot have a ':'";
    return NULL;
}

/* What is wrong with the URL of a proxy, or NULL. The texts never quote it. */
static const char *url_fault(const struct forward *f, enum proxy_kind *kind)
{
    if (slice_eq_str(f->scheme, "https"))
        return "https:// proxies are not supported: expected http:// or socks5://";
    if (slice_eq_str(f->scheme, "http"))
        *kind = PROXY_HTTP;
    else if (slice_eq_str(f->scheme, "socks5") || slice_eq_str(f->scheme, "socks5h"))
        *kind = PROXY_SOCKS5;
    else
        return FORM;
    if (!config_host_ok(f->host) || f->port == 0)
        return FORM;
    if ((f->raw_path.len && !slice_eq_str(f->raw_path, "/")) || f->has_query || f->fragment.len)
        return "expected nothing behind the port";
    return credentials_fault(f, *kind);
}

static char *copy(struct slice s)
{
    return strndup(s.len ? (const char *)s.p : "", s.len);
}

/* Fills `out` from a URL. NULL, or a static text that says what is wrong. */
static const char *read_url(const char *url, struct config_proxy *out)
{
    struct forward f;
    char ignored[1];
    const char *fault, *form;

    if (forward_parse(slice_str(url), &f, ignored, sizeof(ignored)) != WSP_OK)
        return FORM;
    fault = url_fault(&f, &out->kind);
    if (fault)
        return fault;
    out->port = out->kind == PROXY_HTTP ? HTTP_PORT : SOCKS5_PORT;
    if (f.port > 0)
        out->port = (unsigned)f.port;
    out->host = copy(f.host);
    out->user = copy(f.channel);
    out->password = copy(f.password);
    form = f.host_is_v6 ? "%s://[%.*s]:%u" : "%s://%.*s:%u";
    if (asprintf(&out->shown, form, out->kind == PROXY_HTTP ? "http" : "socks5", SLICE_FMT(f.host),
                 out->port) < 0)
        out->shown = NULL;
    return out->host && out->user && out->password && out->shown ? NULL : "out of memory";
}

/* ---- the environment */

/* The value of one of two variables; an empty one is as good as none. */
static const char *variable(const char *const names[2], const char **name)
{
    for (int i = 0; i < 2; i++) {
        const char *value = getenv(names[i]);

        *name = names[i];
        if (value && *value)
            return value;
    }
    return NULL;
}

/* HTTP_PROXY is what a CGI program gets for a visitor's header "Proxy". */
static const char *proxy_variable(bool secure, const char **name)
{
    static const char *const http[] = {"http_proxy", "HTTP_PROXY"};
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY"};
    static const char *const all[] = {"all_proxy", "ALL_PROXY"};
    const char *value = variable(secure ? https : http, name);

    if (value && strcmp(*name, "HTTP_PROXY") == 0 && getenv("REQUEST_METHOD"))
        value = NULL;
    return value ? value : variable(all, name);
}

/* A proxy on another machine would take this one's addresses for its own. */
static bool is_exempt(const struct config_proxy_target *target)
{
    static const char *const names[] = {"no_proxy", "NO_PROXY"};
    const char *name, *list = variable(names, &name);

    return no_proxy_matches(slice_str("localhost,127.0.0.0/8,::1"), target->host, target->port) ||
           no_proxy_matches(slice_str(list ? list : ""), target->host, target->port);
}

static bool read_environment(const struct json_at *object, const struct config_proxy_target *target,
                             struct config_proxy *out)
{
    const char *name, *value = proxy_variable(target->secure, &name), *fault;
    struct json_at at = *object;
    char *url;

    if (!value || is_exempt(target))
        return true;
    if (asprintf(&url, "%s%s", strstr(value, "://") ? "" : "http://", value) < 0)
        return json_fail(&at, "out of memory");
    fault = read_url(url, out);
    free(url);
    out->origin = name;
    return !fault ||
           json_fail(&at, "environment variable %s: %s; or \"proxy\": \"none\" here", name, fault);
}

bool config_proxy_read(const struct json_at *object, const struct config_proxy_target *target,
                       struct config_proxy *out)
{
    struct json_at at;
    const char *text, *fault;

    if (!json_member(object, "proxy", &at))
        return read_environment(object, target, out);
    if (!json_expect_string(&at, &text))
        return false;
    if (strcmp(text, "none") == 0)
        return true;
    fault = read_url(text, out);
    out->origin = "\"proxy\"";
    return !fault || json_fail(&at, "%s", fault);
}
