/* The parts of both configuration files that are about TLS. */
#ifndef CONFIG_TLS_CONFIG_H
#define CONFIG_TLS_CONFIG_H

#include "config/json.h"

/* Of an entry of `client`, for a server at wss://. All strings are owned; NULL when not set. */
struct config_tls_client {
    char *ca;      /* key ca: PEM file of the roots to trust; NULL: the system's */
    char *crl;     /* key crl: PEM file of revoked certificates */
    char *cert;    /* key cert: PEM file of our certificate and its chain */
    char *key;     /* key key: PEM file of its key */
    char *sni;     /* key sni: the name the server's certificate is for; NULL: that of the URL */
    bool insecure; /* key insecure: trust whoever answers */
};

/* A certificate and its key, for some names: an entry of ssl.certs. */
struct config_tls_pair {
    char *cert;     /* owned */
    char *key;      /* owned */
    char **domains; /* owned, NULL-terminated; NULL for the pair of ssl itself */
};

/* Key `ssl` of wsps.json. */
struct config_ssl {
    bool enable;
    struct config_tls_pair *pair; /* owned array; the first is ssl.cert and ssl.key */
    size_t pair_count;
    bool tls_1_3;    /* key min_version: "1.2" (default) or "1.3" */
    char *ciphers;   /* owned; key ciphers */
    char *client_ca; /* owned; key client_ca */
    char *crl;       /* owned; key crl */
};

/* The keys of struct config_tls_client in an object. */
#define CONFIG_TLS_CLIENT_KEYS "ca", "crl", "cert", "key", "sni", "insecure"

/* Read them; with `secure` false (a server at ws://) none may be set. False with the document's
 * error set. */
bool config_tls_client_read(const struct json_at *object, bool secure,
                            struct config_tls_client *out);
void config_tls_client_fini(struct config_tls_client *tls);

/* Reads the key `ssl` of the root. */
bool config_ssl_read(const struct json_at *root, struct config_ssl *out);
void config_ssl_fini(struct config_ssl *ssl);

#endif
