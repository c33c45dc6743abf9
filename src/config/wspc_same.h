/* Whether entries of two configurations are the same, so that a reload leaves them alone. */
#ifndef CONFIG_WSPC_SAME_H
#define CONFIG_WSPC_SAME_H

#include "config/wspc_config.h"

/* All that the links of the two are made with: what they connect to and how, and what they say. */
bool wspc_client_same_connection(const struct wspc_client *a, const struct wspc_client *b);

/* The socket and what it leads to. */
bool wspc_listener_same(const struct wspc_listener *a, const struct wspc_listener *b);

/* Name, target, credentials and options. */
bool wspc_remote_same(const struct wspc_remote *a, const struct wspc_remote *b);

#endif
