/* The listeners of `dynamic` and `local`: SOCKS5 and HTTP proxies, ports that lead to a channel. */
#ifndef CLIENT_PROXY_LISTENER_H
#define CLIENT_PROXY_LISTENER_H

#include "client/session.h"

/* Takes the entries out of s->config; none is open yet. WSP_OK or WSP_ERR_NOMEM. */
enum wsp_err proxy_listeners_take(struct session *s);

/* Opens those that are not. `error` gets a line at the first that cannot be. */
enum wsp_err proxy_listeners_open(struct session *s, char error[CONFIG_ERROR_MAX]);

/* The same, but one that cannot be opened is logged and tried again, and the others are opened. */
void proxy_listeners_open_missing(struct session *s);

/* Closes those that `entry` does not have, and takes the others out of it. */
void proxy_listeners_close_others(struct session *s, struct wspc_client *entry);
void proxy_listeners_close(struct session *s);

/* Connections at once, of each. */
void proxy_listeners_set_limit(struct session *s, size_t limit);

/* What a connection of it opens; `scheme` and `host` are not used for a local listener. */
struct session_target proxy_listener_target(const struct proxy_listener *p, const char *scheme,
                                            struct slice host, unsigned port);

/* What is to be known of its tunnels: proxy_listener->owner. */
extern const struct tunnel_owner proxy_listener_owner;

/* A connection that it accepted has ended. */
void proxy_listener_release(struct proxy_listener *p);

#endif
