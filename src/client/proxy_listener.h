/* The listeners of `dynamic`: SOCKS5 and HTTP proxies. */
#ifndef CLIENT_PROXY_LISTENER_H
#define CLIENT_PROXY_LISTENER_H

#include "client/session.h"

/* Opens all of the session's. `error` gets a line on failure. */
enum wsp_err proxy_listeners_start(struct session *s, char error[CONFIG_ERROR_MAX]);
void proxy_listeners_stop(struct session *s);

#endif
