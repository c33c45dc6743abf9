/* wspc.json */
#ifndef CONFIG_WSPC_CONFIG_H
#define CONFIG_WSPC_CONFIG_H

#include "config/common.h"
#include "config/process.h"
#include "config/proxy.h"
#include "config/tls_config.h"
#include "config/wspc_remote.h"
#include "proto/forward.h"

enum wspc_listener_kind {
    WSPC_SOCKS5, /* dynamic: socks5:// */
    WSPC_HTTP,   /* dynamic: http:// */
    WSPC_LOCAL,  /* local: each connection goes to the channel */
};

/* One entry of `dynamic` or `local`. Strings are owned. */
struct wspc_listener {
    enum wspc_listener_kind kind;
    char *url;      /* as it goes on the wire, with its secrets: never log it */
    char *redacted; /* for logs */
    char *channel;  /* NULL: the server is the exit */
    char *password; /* NULL: none */
    char *bind;     /* address or name without brackets; NULL: all */
    unsigned port;
    char *path;       /* of a unix socket, instead of bind and port; NULL: TCP */
    bool is_overlaid; /* it came from the overlay */
};

/* One entry of `client`. What concerns its links is compared in wspc_client_same_connection. */
struct wspc_client {
    char *server;    /* owned; the URL as configured */
    char *host;      /* owned; without brackets */
    char *authority; /* owned; host[:port] exactly as in the URL, or headers.Host */
    char *target;    /* owned; path and query, "/" when the URL has none */
    unsigned port;
    bool secure;                  /* the server is at wss:// */
    struct config_tls_client tls; /* keys ca, crl, cert, key, sni, insecure */
    enum config_dialect dialect;  /* key dialect: auto */
    long connections;             /* key connections: 1; WebSockets to the server, in wsp.1 */
    char *auth;                   /* owned; NULL when not set */
    struct config_proxy proxy;    /* key proxy, or from the environment */
    char *headers;          /* owned; key headers as lines, each with CRLF: secrets; NULL: none */
    char *dynamic_user;     /* owned; from dynamic_auth, NULL when not set */
    char *dynamic_password; /* owned */
    struct wspc_listener *listener; /* owned array; of dynamic and local */
    size_t listener_count;
    struct wspc_remote *remote; /* owned array */
    size_t remote_count;
    bool is_overlaid; /* the overlay has added it */
};

struct wspc_config {
    struct config_log log;
    struct config_time time;
    struct config_process process;
    char *status;               /* owned; key status: NULL: the default place, "": none */
    struct wspc_client *client; /* owned array */
    size_t client_count;
    struct config_memory memory; /* keys limits.memory and so on */
    long max_connections;        /* key limits.connections: 8192 accepted per listener */
};

/* Defaults. */
void wspc_config_init(struct wspc_config *c);
void wspc_config_fini(struct wspc_config *c);

/* Leaves an empty one. */
void wspc_listener_fini(struct wspc_listener *l);

/* Moves an entry to memory of its own, and leaves an empty one. Owned by the caller, who calls
 * wspc_client_free, which accepts NULL. NULL without memory. */
struct wspc_client *wspc_client_take(struct wspc_client *entry);
void wspc_client_free(struct wspc_client *client);

/* Drops all clients but one, the overlay's or else the first, and of that all dynamic, local and
 * remote entries of the file. */
void wspc_config_keep_one(struct wspc_config *c);

/*
 * Reads and checks it, on top of the defaults; `error` gets one line on failure. WSP_OK,
 * WSP_ERR_CONFIG, or WSP_ERR_USAGE when the fault is in what lies over the file.
 */
enum wsp_err wspc_config_load(struct wspc_config *c, const struct config_source *from,
                              char error[CONFIG_ERROR_MAX]);

#endif
