/* How a session trusts a server at wss://, and what it shows to it. */
#ifndef CLIENT_SERVER_TLS_H
#define CLIENT_SERVER_TLS_H

#include "client/session.h"

/*
 * Makes s->tls, or makes it again when one of its files has changed. WSP_OK, or WSP_ERR_CONFIG with
 * a line in `error`: an older one stays in use.
 */
enum wsp_err server_tls_refresh(struct session *s, char *error, size_t cap);

/* The name to be found in the server's certificate. */
const char *server_tls_name(const struct session *s);

#endif
