/* What both roles of TLS load from files. */
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "net/tls_context_parts.h"

SSL_CTX *tls_ctx_new(bool server)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

    if (!ctx)
        return NULL;
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static bool fail(char *error, size_t cap, const char *what, const char *file)
{
    snprintf(error, cap, "tls: cannot load %s from \"%s\": %s", what, file, tls_reason());
    return false;
}

/* Nobody is there to be asked. */
static int no_passphrase(char *out, int cap, int writing, void *asked)
{
    (void)out;
    (void)cap;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static EVP_PKEY *read_key(const char *file, bool *encrypted)
{
    BIO *in = BIO_new_file(file, "r");
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, encrypted) : NULL;

    BIO_free(in);
    return key;
}

static bool use_key(SSL_CTX *ctx, const char *file, char *error, size_t cap)
{
    bool encrypted = false;
    EVP_PKEY *key = read_key(file, &encrypted);
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key);

    EVP_PKEY_free(key);
    if (ok)
        return true;
    if (!encrypted)
        return fail(error, cap, "the key", file);
    snprintf(error, cap,
             "tls: the key in \"%s\" is encrypted, and nobody is there to type its passphrase: "
             "decrypt it with openssl pkey -in FILE -out NEW",
             file);
    return false;
}

bool tls_ctx_use_pair(SSL_CTX *ctx, const char *cert_file, const char *key_file, char *error,
                      size_t cap)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return fail(error, cap, "the certificate", cert_file);
    if (!use_key(ctx, key_file, error, cap)) {
        if (ERR_GET_REASON(ERR_peek_error()) != X509_R_KEY_VALUES_MISMATCH)
            return false;
    } else if (SSL_CTX_check_private_key(ctx)) {
        return true;
    }
    snprintf(error, cap, "tls: the key in \"%s\" does not belong to the certificate in \"%s\"",
             key_file, cert_file);
    return false;
}

static bool load_crl(SSL_CTX *ctx, const char *file)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

    if (!lookup || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) <= 0)
        return false;
    return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

bool tls_lacks_crl(X509_STORE_CTX *store)
{
    int error = X509_STORE_CTX_get_error(store);

    if (X509_STORE_CTX_get_error_depth(store) == 0 ||
        (error != X509_V_ERR_UNABLE_TO_GET_CRL && error != X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER))
        return false;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return true;
}

bool tls_ctx_trust(SSL_CTX *ctx, const char *ca_file, const char *crl_file, char *error, size_t cap)
{
    ERR_clear_error();
    /* Whatever is in the file of roots is trusted, an intermediate authority too. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    if (ca_file && !SSL_CTX_load_verify_file(ctx, ca_file))
        return fail(error, cap, "certificates", ca_file);
    if (!ca_file && !SSL_CTX_set_default_verify_paths(ctx)) {
        snprintf(error, cap, "tls: cannot load the system's roots: %s", tls_reason());
        return false;
    }
    if (crl_file && !load_crl(ctx, crl_file))
        return fail(error, cap, "revoked certificates", crl_file);
    return true;
}
