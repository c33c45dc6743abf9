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
    uint64_t told_us;                /* when it was last seen whether one expires soon */
    struct timer look;
};

/* What was loaded. */
struct certificates_read {
    struct tls_context *tls; /* a reference; NULL: TLS is off */
    uint64_t stamp;          /* of the files before they were read: a later change is seen */
};

/* Loads what a configuration names. WSP_OK, or WSP_ERR_CONFIG with a line in `error`. */
enum wsp_err certificates_load(const struct config_ssl *config, struct certificates_read *out,
                               char error[CONFIG_ERROR_MAX]);

/* `read` (its reference is taken) is what `config` (borrowed: it may change before
 * certificates_renew) names. */
void certificates_start(struct certificates *c, struct wsp_loop *loop,
                        const struct config_ssl *config, const struct certificates_read *read);

/* The configuration has changed, and now names `read` (its reference is taken). For new
 * connections: what is open goes on. */
void certificates_renew(struct certificates *c, const struct certificates_read *read);

void certificates_stop(struct certificates *c);

#endif
