/* The certificates of the public port: loaded at the start, and again when their files change. */
#ifndef SERVER_CERTIFICATES_H
#define SERVER_CERTIFICATES_H

#include "config/wsps_config.h"
#include "net/loop.h"

struct tls_context;

struct certificates {
    struct wsp_loop *loop;           /* borrowed */
    const struct config_ssl *config; /* borrowed */
    struct tls_context *tls;         /* a reference; NULL: the port is plain */
    uint64_t stamp;                  /* of the files when they were last read */
    struct timer look;
};

/* Loads what a configuration names; *out is a reference, NULL when TLS is off. WSP_OK, or
 * WSP_ERR_CONFIG with a line in `error`. */
enum wsp_err certificates_load(const struct config_ssl *config, struct tls_context **out,
                               char error[CONFIG_ERROR_MAX]);

/* `tls` (taken; NULL: none) is what `config` (borrowed: it may change before certificates_renew)
 * names. */
void certificates_start(struct certificates *c, struct wsp_loop *loop,
                        const struct config_ssl *config, struct tls_context *tls);

/* The configuration has changed, and now names `tls` (taken; NULL: none). For new connections: what
 * is open goes on. */
void certificates_renew(struct certificates *c, struct tls_context *tls);

void certificates_stop(struct certificates *c);

#endif
