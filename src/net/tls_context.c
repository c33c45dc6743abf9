#include "net/tls_context.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { NAME_MAX_LEN = 255 };

struct tls_context {
    unsigned refs;
    SSL_CTX *ctx;    /* owned */
    BIO_METHOD *bio; /* owned */
    uint8_t pin[TLS_PIN_LEN];
    uint8_t seen[TLS_PIN_LEN]; /* the last key that was compared with it */
};

static const char *reason_of(unsigned long err)
{
    const char *text;

    if (err == 0)
        return "out of memory";
    if (ERR_SYSTEM_ERROR(err))
        return strerror(ERR_GET_REASON(err));
    text = ERR_reason_error_string(err);
    return text ? text : "unknown error";
}

/* Stands in for the whole verification of the chain. The handshake has the peer prove that it has
 * the key. */
static int verify_pin(X509_STORE_CTX *store, void *arg)
{
    struct tls_context *x = arg;
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    uint8_t *der = NULL;
    int len = leaf ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der) : 0;
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, x->seen, NULL, EVP_sha256(), NULL) == 1 &&
              memcmp(x->seen, x->pin, TLS_PIN_LEN) == 0;

    OPENSSL_free(der);
    X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return ok;
}

static bool set_protocol(SSL_CTX *ctx)
{
    static const uint8_t alpn[] = "\x08http/1.1";

    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    /* Whatever is in the file of roots is trusted, an intermediate authority too. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
           SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0;
}

/* False with the reason in the error queue. */
static bool set_trust(struct tls_context *x, const struct tls_options *opt)
{
    if (opt->has_pin) {
        memcpy(x->pin, opt->pin, TLS_PIN_LEN);
        SSL_CTX_set_cert_verify_callback(x->ctx, verify_pin, x);
    } else if (opt->insecure) {
        SSL_CTX_set_verify(x->ctx, SSL_VERIFY_NONE, NULL);
        return true;
    }
    SSL_CTX_set_verify(x->ctx, SSL_VERIFY_PEER, NULL);
    if (opt->has_pin)
        return true;
    return opt->ca_file ? SSL_CTX_load_verify_file(x->ctx, opt->ca_file)
                        : SSL_CTX_set_default_verify_paths(x->ctx);
}

struct tls_context *tls_context_new(const struct tls_options *opt, char *error, size_t cap)
{
    struct tls_context *x = calloc(1, sizeof(*x));

    ERR_clear_error();
    if (x) {
        x->refs = 1;
        x->ctx = SSL_CTX_new(TLS_client_method());
        x->bio = tls_bio_method_new();
    }
    if (!x || !x->ctx || !x->bio || !set_protocol(x->ctx)) {
        snprintf(error, cap, "tls: %s", reason_of(ERR_peek_error()));
    } else if (!set_trust(x, opt)) {
        snprintf(error, cap, "tls: cannot load certificates from %s%s%s: %s",
                 opt->ca_file ? "\"" : "", opt->ca_file ? opt->ca_file : "the system's roots",
                 opt->ca_file ? "\"" : "", reason_of(ERR_peek_error()));
    } else {
        return x;
    }
    tls_context_unref(x);
    return NULL;
}

struct tls_context *tls_context_ref(struct tls_context *x)
{
    x->refs++;
    return x;
}

void tls_context_unref(struct tls_context *x)
{
    if (!x || --x->refs)
        return;
    SSL_CTX_free(x->ctx);
    BIO_meth_free(x->bio);
    free(x);
}

static bool is_address(const char *name)
{
    uint8_t address[16];

    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static bool set_name(SSL *ssl, const char *server_name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    size_t len = strlen(server_name);
    char name[NAME_MAX_LEN + 1];

    if (is_address(server_name))
        return X509_VERIFY_PARAM_set1_ip_asc(param, server_name);
    /* RFC 6066 section 3: without the root's dot. */
    if (len && server_name[len - 1] == '.')
        len--;
    if (len == 0 || len > NAME_MAX_LEN)
        return false;
    memcpy(name, server_name, len);
    name[len] = '\0';
    /* RFC 9525: a common name is no host name, and a wildcard is a whole label. */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, name, len) && SSL_set_tlsext_host_name(ssl, name);
}

enum wsp_err tls_context_session(struct tls_context *x, const char *server_name,
                                 struct tls_bio *bio, SSL **out)
{
    SSL *ssl = SSL_new(x->ctx);
    BIO *b = ssl ? tls_bio_new(x->bio, bio) : NULL;

    if (!b) {
        SSL_free(ssl);
        return WSP_ERR_NOMEM;
    }
    SSL_set_bio(ssl, b, b);
    SSL_set_connect_state(ssl);
    if (!set_name(ssl, server_name)) {
        SSL_free(ssl);
        return WSP_ERR_REFUSED;
    }
    *out = ssl;
    return WSP_OK;
}

static void explain_pin(const struct tls_context *x, char *out, size_t cap)
{
    unsigned char base64[(TLS_PIN_LEN + 2) / 3 * 4 + 1]; /* as the option is written */

    EVP_EncodeBlock(base64, x->seen, TLS_PIN_LEN);
    snprintf(out, cap, "tls: pin check failed: the service's public key is sha256:%s", base64);
}

static void explain_certificate(const struct tls_context *x, SSL *ssl, char *out, size_t cap)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    long why = SSL_get_verify_result(ssl);
    char *address;

    switch (why) {
    case X509_V_ERR_APPLICATION_VERIFICATION:
        explain_pin(x, out, cap);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
        snprintf(out, cap, "tls: host name check failed: the certificate is not for %s",
                 X509_VERIFY_PARAM_get0_host(param, 0));
        break;
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        address = X509_VERIFY_PARAM_get1_ip_asc(param);
        snprintf(out, cap, "tls: address check failed: the certificate is not for %s",
                 address ? address : "this address");
        OPENSSL_free(address);
        break;
    default:
        snprintf(out, cap, "tls: certificate check failed: %s", X509_verify_cert_error_string(why));
    }
}

void tls_context_explain(const struct tls_context *x, SSL *ssl, const char *what, char *out,
                         size_t cap)
{
    unsigned long err = ERR_peek_error();
    bool of_ssl = ERR_GET_LIB(err) == ERR_LIB_SSL;

    if (of_ssl && ERR_GET_REASON(err) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        explain_certificate(x, ssl, out, cap);
    else
        snprintf(out, cap, "tls: %s failed: %s%s", what,
                 err ? reason_of(err) : "its answers cannot be kept",
                 of_ssl && ERR_GET_REASON(err) == SSL_R_WRONG_VERSION_NUMBER
                     ? " (does the service speak TLS?)"
                     : "");
}
