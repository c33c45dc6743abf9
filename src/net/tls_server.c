#include "net/tls_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <openssl/err.h>

#include "net/tls_context_parts.h"

/* The one protocol that is spoken here; a client that offers others only is not turned away, since
 * many send a list that means nothing (RFC 7301 section 3.2 would have an alert). */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *offered, unsigned offered_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool is_for(const char *domain, const char *name)
{
    const char *dot;

    if (strncmp(domain, "*.", 2) != 0)
        return strcasecmp(domain, name) == 0;
    dot = strchr(name, '.');
    return dot && dot != name && strcasecmp(domain + 1, dot) == 0;
}

static SSL_CTX *find(const struct tls_context *x, const char *name)
{
    for (int wild = 0; wild < 2; wild++) /* a whole name goes before a pattern */
        for (size_t i = 0; i < x->named_count; i++)
            for (char **d = x->named[i].domains; *d; d++)
                if ((**d == '*') == wild && is_for(*d, name))
                    return x->named[i].ctx;
    return NULL;
}

/* Shows the certificate for the name that is asked for (RFC 6066 section 3). */
static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
    const struct tls_context *x = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx = name ? find(x, name) : NULL;

    (void)alert;
    if (ctx)
        SSL_set_SSL_CTX(ssl, ctx);
    return SSL_TLSEXT_ERR_OK;
}

/* The verification ends at the first fault, which the session keeps as its result. */
static int on_verified(int ok, X509_STORE_CTX *store)
{
    return ok || tls_lacks_crl(store);
}

/* Every client is let in; whether it may open a link is decided when it asks for one. */
static int judge_client(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    if (X509_verify_cert(store) <= 0 && X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    return 1;
}

static bool ask_clients(struct tls_context *x, const struct tls_server_options *opt, char *error,
                        size_t cap)
{
    STACK_OF(X509_NAME) * names;

    if (!opt->client_ca_file)
        return true;
    if (!tls_ctx_trust(x->ctx, opt->client_ca_file, opt->client_crl_file, error, cap))
        return false;
    names = SSL_load_client_CA_file(opt->client_ca_file);
    if (!names) {
        snprintf(error, cap, "tls: no certificates in \"%s\"", opt->client_ca_file);
        return false;
    }
    SSL_CTX_set_client_CA_list(x->ctx, names); /* taken */
    SSL_CTX_set_verify(x->ctx, SSL_VERIFY_PEER, on_verified);
    SSL_CTX_set_cert_verify_callback(x->ctx, judge_client, NULL);
    x->asks_client = true;
    return true;
}

/* Suites of TLS 1.3 and the list for TLS 1.2 are set apart; one that is not given stays as it is.
 */
static bool set_ciphers(SSL_CTX *ctx, const char *ciphers)
{
    char old[512] = "", suites[512] = "";
    size_t left = strlen(ciphers);

    if (left >= sizeof(old))
        return false;
    for (const char *p = ciphers; left;) {
        size_t n = strcspn(p, ":");
        char *to = strncmp(p, "TLS_", 4) == 0 ? suites : old;
        size_t len = strlen(to);

        snprintf(to + len, sizeof(old) - len, "%s%.*s", len ? ":" : "", (int)n, p);
        n += p[n] == ':';
        p += n;
        left -= n;
    }
    return (!*suites || SSL_CTX_set_ciphersuites(ctx, suites)) &&
           (!*old || SSL_CTX_set_cipher_list(ctx, old));
}

static bool set_up(SSL_CTX *ctx, const struct tls_server_options *opt, char *error, size_t cap)
{
    static const unsigned char id[] = "wsps";

    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
    if (opt->min_version == TLS_1_3 && !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION)) {
        snprintf(error, cap, "tls: %s", tls_reason());
        return false;
    }
    if (!opt->ciphers || set_ciphers(ctx, opt->ciphers))
        return true;
    snprintf(error, cap, "tls: ciphers \"%.128s\": %s", opt->ciphers, tls_reason());
    return false;
}

static bool copy_domains(struct tls_named *to, char *const *from)
{
    size_t n = 0;

    while (from[n])
        n++;
    to->domains = calloc(n + 1, sizeof(*to->domains));
    for (size_t i = 0; to->domains && i < n; i++) {
        to->domains[i] = strdup(from[i]);
        if (!to->domains[i])
            return false;
    }
    return to->domains != NULL;
}

/* A session that turns to this certificate asks for the same clients, and judges them alike. */
static bool ask_alike(SSL_CTX *ctx, const struct tls_context *x)
{
    STACK_OF(X509_NAME) *names = SSL_dup_CA_list(SSL_CTX_get_client_CA_list(x->ctx));

    if (!names)
        return false;
    SSL_CTX_set_client_CA_list(ctx, names); /* taken */
    SSL_CTX_set1_cert_store(ctx, SSL_CTX_get_cert_store(x->ctx));
    SSL_CTX_set_cert_verify_callback(ctx, judge_client, NULL);
    return true;
}

static bool add_named(struct tls_context *x, const struct tls_server_options *opt,
                      const struct tls_pair *pair, char *error, size_t cap)
{
    struct tls_named *n = &x->named[x->named_count++];

    n->ctx = tls_ctx_new(true);
    if (!n->ctx || !copy_domains(n, pair->domains) || (x->asks_client && !ask_alike(n->ctx, x))) {
        snprintf(error, cap, "tls: out of memory");
        return false;
    }
    return set_up(n->ctx, opt, error, cap) &&
           tls_ctx_use_pair(n->ctx, pair->cert_file, pair->key_file, error, cap);
}

static bool load(struct tls_context *x, const struct tls_server_options *opt, char *error,
                 size_t cap)
{
    const struct tls_pair *first = &opt->pair[0];

    if (!set_up(x->ctx, opt, error, cap) ||
        !tls_ctx_use_pair(x->ctx, first->cert_file, first->key_file, error, cap) ||
        !ask_clients(x, opt, error, cap))
        return false;
    SSL_CTX_set_tlsext_servername_callback(x->ctx, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(x->ctx, x);
    x->named = calloc(opt->pair_count, sizeof(*x->named));
    if (!x->named) {
        snprintf(error, cap, "tls: out of memory");
        return false;
    }
    for (size_t i = 1; i < opt->pair_count; i++)
        if (!add_named(x, opt, &opt->pair[i], error, cap))
            return false;
    return true;
}

struct tls_context *tls_server_new(const struct tls_server_options *opt, char *error, size_t cap)
{
    struct tls_context *x = tls_context_alloc(true);

    if (!x)
        snprintf(error, cap, "tls: %s", tls_reason());
    else if (load(x, opt, error, cap))
        return x;
    tls_context_unref(x);
    return NULL;
}

const char *tls_server_client_fault(const struct tls_context *x, const struct ssl_st *ssl)
{
    long result = SSL_get_verify_result(ssl);

    if (!x->asks_client)
        return NULL;
    if (!SSL_get0_peer_certificate(ssl))
        return "no client certificate";
    return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

static long expires_s(SSL_CTX *ctx)
{
    const ASN1_TIME *end = X509_get0_notAfter(SSL_CTX_get0_certificate(ctx));
    int days = 0, seconds = 0;

    ASN1_TIME_diff(&days, &seconds, NULL, end);
    return (long)days * 24 * 60 * 60 + seconds;
}

size_t tls_server_expires_first(const struct tls_context *x, long *left_s)
{
    size_t first = 0;

    *left_s = expires_s(x->ctx);
    for (size_t i = 0; i < x->named_count; i++) {
        long s = expires_s(x->named[i].ctx);

        if (s < *left_s) {
            *left_s = s;
            first = i + 1;
        }
    }
    return first;
}
