#include "net/tls_context.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/tls_context_parts.h"

enum { NAME_MAX_LEN = 255 };

/* A file without a certificate, or without a key. */
static bool lacks_pem(unsigned long err)
{
    int lib = ERR_GET_LIB(err), reason = ERR_GET_REASON(err);

    return (lib == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE) ||
           (lib == ERR_LIB_OSSL_DECODER && reason == ERR_R_UNSUPPORTED);
}

static const char *reason_of(unsigned long err)
{
    const char *text;

    if (err == 0)
        return "out of memory";
    if (ERR_SYSTEM_ERROR(err))
        return strerror(ERR_GET_REASON(err));
    if (lacks_pem(err))
        return "there is none in it (PEM)";
    text = ERR_reason_error_string(err);
    return text ? text : "unknown error";
}

const char *tls_reason(void)
{
    return reason_of(ERR_peek_error());
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

int tls_note_rejected(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_context *x = ssl ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL;
    X509 *cert = X509_STORE_CTX_get_current_cert(store);

    if (ok || tls_lacks_crl(store))
        return 1;
    if (!x)
        return 0;
    x->rejected[0] = '\0';
    if (cert)
        X509_NAME_oneline(X509_get_subject_name(cert), x->rejected, sizeof(x->rejected));
    return 0;
}

/* False with a line in `error`. */
static bool set_trust(struct tls_context *x, const struct tls_options *opt, char *error, size_t cap)
{
    if (opt->has_pin) {
        memcpy(x->pin, opt->pin, TLS_PIN_LEN);
        SSL_CTX_set_cert_verify_callback(x->ctx, verify_pin, x);
    } else if (opt->insecure) {
        SSL_CTX_set_verify(x->ctx, SSL_VERIFY_NONE, NULL);
        return true;
    }
    SSL_CTX_set_app_data(x->ctx, x);
    SSL_CTX_set_verify(x->ctx, SSL_VERIFY_PEER, tls_note_rejected);
    return opt->has_pin || tls_ctx_trust(x->ctx, opt->ca_file, opt->crl_file, error, cap);
}

struct tls_context *tls_context_alloc(bool server)
{
    struct tls_context *x = calloc(1, sizeof(*x));

    ERR_clear_error();
    if (!x)
        return NULL;
    x->refs = 1;
    x->server = server;
    x->ctx = tls_ctx_new(server);
    x->bio = tls_bio_method_new();
    if (x->ctx && x->bio)
        return x;
    tls_context_unref(x);
    return NULL;
}

struct tls_context *tls_context_new(const struct tls_options *opt, char *error, size_t cap)
{
    static const uint8_t alpn[] = "\x08http/1.1";
    struct tls_context *x = tls_context_alloc(false);

    if (!x || SSL_CTX_set_alpn_protos(x->ctx, alpn, sizeof(alpn) - 1) != 0)
        snprintf(error, cap, "tls: %s", tls_reason());
    else if (set_trust(x, opt, error, cap) &&
             (!opt->cert_file ||
              tls_ctx_use_pair(x->ctx, opt->cert_file, opt->key_file, error, cap)))
        return x;
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
    for (size_t i = 0; i < x->named_count; i++) {
        for (char **d = x->named[i].domains; d && *d; d++)
            free(*d);
        free(x->named[i].domains);
        SSL_CTX_free(x->named[i].ctx);
    }
    free(x->named);
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
    if (x->server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    if (!x->server && !set_name(ssl, server_name)) {
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
    snprintf(out, cap, "tls: pin check failed: the peer's public key is sha256:%s", base64);
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
        snprintf(out, cap, "tls: certificate check failed: %s%s%s",
                 X509_verify_cert_error_string(why), x->rejected[0] ? ": " : "", x->rejected);
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

bool tls_context_met_http(void)
{
    unsigned long err = ERR_peek_error();

    return ERR_GET_LIB(err) == ERR_LIB_SSL && (ERR_GET_REASON(err) == SSL_R_HTTP_REQUEST ||
                                               ERR_GET_REASON(err) == SSL_R_HTTPS_PROXY_REQUEST);
}
