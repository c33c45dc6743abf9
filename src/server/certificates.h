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

/* Loads them, if the configuration has any. WSP_OK, WSP_ERR_CONFIG or WSP_ERR_NOMEM with a line in
 * `error`. */
enum wsp_err certificates_start(struct certificates *c, struct wsp_loop *loop,
                                const struct config_ssl *config, char error[CONFIG_ERROR_MAX]);

/* Loads them again when a file has changed; those that cannot be used are told in the log, and the
 * old ones stay. For new connections: what is open goes on. */
void certificates_look(struct certificates *c);

void certificates_stop(struct certificates *c);

#endif
