/* TLS in the role of the server: which certificate is shown to whom, and what clients may show. */
#ifndef NET_TLS_SERVER_H
#define NET_TLS_SERVER_H

#include "net/tls_context.h"

enum tls_version { TLS_1_2, TLS_1_3 };

/* A certificate with its chain, and its key; PEM files. */
struct tls_pair {
    const char *cert_file;
    const char *key_file;
    char *const *domains; /* NULL-terminated: the names it is shown to, as example.com or
                           * *.example.com (one label); NULL: to all others */
};

struct tls_server_options {
    const struct tls_pair *pair; /* the first is the default */
    size_t pair_count;           /* at least 1 */
    enum tls_version min_version;
    const char *ciphers; /* OpenSSL's list for TLS 1.2, or suites of TLS 1.3 (those that begin
                          * with TLS_), or both; NULL: OpenSSL's own */
    const char *client_ca_file;  /* PEM: clients are asked for certificates of these; NULL: they
                                  * are not */
    const char *client_crl_file; /* PEM, revoked certificates; NULL: none is looked up */
};

/* A context as of tls_context_new, whose sessions are a server's. A client without a certificate,
 * or with a bad one, is let in all the same: see tls_server_client. */
struct tls_context *tls_server_new(const struct tls_server_options *opt, char *error, size_t cap);

/* Whether the certificate of the session's client is good, NULL, or what is wrong with it. NULL too
 * when clients are not asked for any. */
const char *tls_server_client_fault(const struct tls_context *x, const struct ssl_st *ssl);

/* Which of the context's own certificates expires first, by its place in the options' pairs;
 * *left_s is in how many seconds, below 0 when it has. */
size_t tls_server_expires_first(const struct tls_context *x, long *left_s);

#endif
