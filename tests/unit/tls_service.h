/* A service that is trusted, and worlds with it; include it behind cmocka.h. */
#ifndef TESTS_UNIT_TLS_SERVICE_H
#define TESTS_UNIT_TLS_SERVICE_H

#include "tls_world.h"

#define HOST "service.test"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static struct identity service_id;
static struct tls_context *trusting;
static char sni[64], alpn[64];

static inline int on_sni(SSL *ssl, int *alert, void *arg)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    (void)arg;
    snprintf(sni, sizeof(sni), "%s", name ? name : "");
    return SSL_TLSEXT_ERR_OK;
}

static inline int on_alpn(SSL *ssl, const uint8_t **out, uint8_t *len, const uint8_t *in,
                          unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    snprintf(alpn, sizeof(alpn), "%.*s", (int)in_len, (const char *)in);
    *out = in + 1;
    *len = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static inline SSL_CTX *server_new(const struct identity *id, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    assert_non_null(ctx);
    SSL_CTX_use_certificate(ctx, id->cert);
    SSL_CTX_use_PrivateKey(ctx, id->key);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_sni);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    return ctx;
}

/* A world with a trusted service, not yet opened. */
static inline void start(struct world *w, int version)
{
    SSL_CTX *server = server_new(&service_id, version);

    world_start(w, server);
    SSL_CTX_free(server);
}

static inline void assert_seen(const struct world *w, enum chan_end how, const char *text)
{
    assert_int_equal(w->seen.closed, 1);
    assert_string_equal(w->seen.text, text);
    assert_int_equal(w->seen.how, how);
}

static inline int setup(void **state)
{
    char ca_path[] = "/tmp/test-tls-XXXXXX", error[TLS_TEXT_MAX];
    struct identity ca = cert_make(&(struct cert_spec){"ca", NULL, -1, 1, true}, NULL);
    struct tls_options opt = {.ca_file = ca_path};

    (void)state;
    service_id = cert_make(&(struct cert_spec){"x", "DNS:" HOST, -1, 1, false}, &ca);
    cert_save(&ca, ca_path);
    trusting = tls_context_new(&opt, error, sizeof(error));
    unlink(ca_path);
    cert_free(&ca);
    return trusting ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    cert_free(&service_id);
    tls_context_unref(trusting);
    return 0;
}

#endif
