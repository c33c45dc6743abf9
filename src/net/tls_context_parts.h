/* What the contexts of both roles share; within net only. */
#ifndef NET_TLS_CONTEXT_PARTS_H
#define NET_TLS_CONTEXT_PARTS_H

#include <openssl/ssl.h>

#include "net/tls_context.h"

#define TLS_SUBJECT_MAX 128

/* One more pair of certificate and key, for some names. */
struct tls_named {
    char **domains; /* owned, NULL-terminated: "example.com", "*.example.com" */
    SSL_CTX *ctx;   /* owned */
};

struct tls_context {
    unsigned refs;
    bool server;
    SSL_CTX *ctx;            /* owned */
    BIO_METHOD *bio;         /* owned */
    struct tls_named *named; /* owned array; of a server */
    size_t named_count;
    bool asks_client; /* of a server: for a certificate */
    uint8_t pin[TLS_PIN_LEN];
    uint8_t seen[TLS_PIN_LEN];      /* the last key that was compared with it */
    char rejected[TLS_SUBJECT_MAX]; /* subject of the last certificate that was not trusted */
};

/* Without SSL_CTX and trust; NULL without memory. */
struct tls_context *tls_context_alloc(bool server);

/* An SSL_CTX for TLS 1.2 and later; NULL with the reason in OpenSSL's error queue. */
SSL_CTX *tls_ctx_new(bool server);

/* Loads a certificate with its chain and its key. False with a line in `error`. */
bool tls_ctx_use_pair(SSL_CTX *ctx, const char *cert_file, const char *key_file, char *error,
                      size_t cap);

/* Trusts the roots in a PEM file (NULL: the system's), less what a PEM file revokes (or NULL), and
 * whoever they revoke on the way to a certificate. False with a line in `error`. */
bool tls_ctx_trust(SSL_CTX *ctx, const char *ca_file, const char *crl_file, char *error,
                   size_t cap);

/*
 * For a verification callback that is told of an error: it is only that an authority has no list of
 * what it revokes, which is asked of the one behind the certificate alone. Then the error is gone,
 * and the verification goes on.
 */
bool tls_lacks_crl(X509_STORE_CTX *store);

/* Verification callback of sessions: notes which certificate is not trusted. */
int tls_note_rejected(int ok, X509_STORE_CTX *store);

/* The text of the first error in OpenSSL's queue. */
const char *tls_reason(void);

#endif
