/*
 * How TLS is spoken: TLS 1.2 or later, ALPN http/1.1, and what makes the peer trusted; in the role
 * of the client here, in that of the server in net/tls_server.h. Its sessions run over a struct
 * tls_bio: of a channel (net/tls_chan.h) or of a socket (net/tls_stream.h).
 */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include <stdbool.h>

#include "net/tls_bio.h"

#define TLS_PIN_LEN 32 /* SHA-256 */
#define TLS_TEXT_MAX 256

struct ssl_st;
struct ssl_ctx_st;
struct tls_context;

/* A pin goes before `insecure`, and that before `ca_file`. */
struct tls_options {
    const char *ca_file;   /* PEM, the roots to trust; NULL: the system's */
    const char *crl_file;  /* PEM, revoked certificates; NULL: none is looked up */
    const char *cert_file; /* PEM, our certificate and its chain; NULL: none */
    const char *key_file;  /* PEM, its key */
    bool insecure;         /* trust any certificate */
    /* Trust the key whose DER SubjectPublicKeyInfo has this SHA-256, whatever chain, names and
     * dates the certificate has. */
    bool has_pin;
    uint8_t pin[TLS_PIN_LEN];
};

/*
 * A context with one reference, the caller's; each struct tls_chan takes another. For one thread.
 * NULL on failure: `error` (at most `cap` bytes with the NUL) says why.
 */
struct tls_context *tls_context_new(const struct tls_options *opt, char *error, size_t cap);

/* Returns `x`. */
struct tls_context *tls_context_ref(struct tls_context *x);

/* Gives a reference back; the last one frees it. Accepts NULL. */
void tls_context_unref(struct tls_context *x);

/*
 * A session of the context's role; a client's is with `server_name`, a DNS name or an IP address
 * (IPv6 without brackets), that is sent as SNI when it is a DNS name, and looked for in the
 * certificate. On WSP_OK *out is owned by the caller (SSL_free); it borrows `bio` and needs `x` to
 * live. WSP_OK, WSP_ERR_NOMEM, or WSP_ERR_REFUSED: the name is empty or too long.
 */
enum wsp_err tls_context_session(struct tls_context *x, const char *server_name,
                                 struct tls_bio *bio, struct ssl_st **out);

/* Why the session's last call failed, from OpenSSL's error queue: "tls: … failed: …". `what` was
 * under way when it is no certificate's fault. */
void tls_context_explain(const struct tls_context *x, struct ssl_st *ssl, const char *what,
                         char *out, size_t cap);

/* Whether the session's last call failed since the peer speaks HTTP without TLS. */
bool tls_context_met_http(void);

#endif
