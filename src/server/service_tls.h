/* How an https service is trusted: its URL's options, with the names of wsps.json. */
#ifndef SERVER_SERVICE_TLS_H
#define SERVER_SERVICE_TLS_H

#include "net/tls_context.h"
#include "server/service.h"

/* NULL when the URL's options are fine; else what is wrong with them, for the registration. */
const char *service_tls_fault(const struct server *server, struct slice query);

/* The service's context, made at its first use and kept; borrowed. NULL on failure, logged. */
struct tls_context *service_tls(struct service *s);

/* What services are trusted by may have changed: all connections that begin from now on ask again.
 */
void service_tls_renew(struct server *server);

#endif
