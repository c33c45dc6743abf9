#include "server/service_tls.h"

#include <openssl/evp.h>

#include "http/upstream.h"

enum { OPTION_MAX = 256 };

static bool option(struct slice query, const char *key, char out[OPTION_MAX])
{
    size_t len;

    if (!forward_query_find(query, key, out, OPTION_MAX - 1, &len))
        return false;
    out[len] = '\0';
    return true;
}

/* "sha256:" and the base64 of 32 bytes. In a query a '+' reads as a space. */
static bool pin_of(char *text, uint8_t pin[TLS_PIN_LEN])
{
    static const char kind[] = "sha256:";
    enum { BASE64_LEN = 44 };
    uint8_t raw[BASE64_LEN / 4 * 3];
    char *base64 = text + sizeof(kind) - 1;

    if (strncmp(text, kind, sizeof(kind) - 1) != 0 || strlen(base64) != BASE64_LEN ||
        base64[BASE64_LEN - 1] != '=')
        return false;
    for (char *p = base64; *p; p++)
        if (*p == ' ')
            *p = '+';
    if (EVP_DecodeBlock(raw, (const unsigned char *)base64, BASE64_LEN) != (int)sizeof(raw))
        return false;
    memcpy(pin, raw, TLS_PIN_LEN);
    return true;
}

static const char *ca_file(const struct server *server, const char *name)
{
    const struct wsps_config *c = server->config;

    for (size_t i = 0; i < c->upstream_ca_count; i++)
        if (strcmp(c->upstream_ca[i].name, name) == 0)
            return c->upstream_ca[i].file;
    return NULL;
}

static const char *read_options(const struct server *server, struct slice query,
                                struct tls_options *out)
{
    char text[OPTION_MAX];

    *out = (struct tls_options){0};
    if (option(query, "insecure", text)) {
        if (strcmp(text, "1") != 0 && strcmp(text, "0") != 0)
            return "insecure must be 1 or 0";
        out->insecure = text[0] == '1';
    }
    if (option(query, "pin", text)) {
        out->has_pin = pin_of(text, out->pin);
        if (!out->has_pin)
            return "pin must be sha256: and the base64 of 32 bytes";
    }
    if (option(query, "ca", text)) {
        out->ca_file = ca_file(server, text);
        if (!out->ca_file)
            return "wsps does not know this ca: name it in upstream_ca";
    }
    return NULL;
}

const char *service_tls_fault(const struct server *server, struct slice query)
{
    struct tls_options ignored;

    return read_options(server, query, &ignored);
}

static void complain(const struct service *s, const char *why)
{
    struct server *server = s->server;

    if (log_limit_ok(&server->noise, loop_now(server->loop)))
        log_error(loop_log(server->loop), "service %.*s: %s", SLICE_FMT(s->name), why);
}

static struct tls_context *make(struct service *s, const struct tls_options *options)
{
    char error[TLS_TEXT_MAX];
    struct tls_context *x = tls_context_new(options, error, sizeof(error));

    if (!x)
        complain(s, error);
    return x;
}

struct tls_context *service_tls(struct service *s)
{
    struct server *server = s->server;
    struct tls_options options;
    const char *fault;

    if (s->tls)
        return s->tls;
    fault = read_options(server, s->query, &options);
    if (fault) { /* since a reload */
        complain(s, fault);
        return NULL;
    }
    if (options.ca_file || options.insecure || options.has_pin)
        return s->tls = make(s, &options);
    /* The system's roots are many, and loaded once. */
    if (!server->tls)
        server->tls = make(s, &options);
    return server->tls ? s->tls = tls_context_ref(server->tls) : NULL;
}

static void renew(struct service *s)
{
    struct list *node;

    tls_context_unref(s->tls);
    s->tls = NULL;
    while (s->kind == SERVICE_HTTPS && (node = list_shift(&s->pool)))
        upstream_free(container_of(node, struct upstream, node));
}

void service_tls_renew(struct server *server)
{
    for (struct map_node *n = NULL; (n = map_next(&server->services, n));)
        renew(container_of(n, struct service, node));
    tls_context_unref(server->tls);
    server->tls = NULL;
}
