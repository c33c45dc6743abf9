/* wsps.json */
#ifndef CONFIG_WSPS_CONFIG_H
#define CONFIG_WSPS_CONFIG_H

#include "config/common.h"
#include "config/process.h"
#include "config/tls_config.h"
#include "config/wsps_proxies.h"

/* A set of certificates that an https service can name with ?ca=NAME. */
struct wsps_ca {
    char *name; /* owned */
    char *file; /* owned; PEM */
};

struct wsps_config {
    struct config_log log;
    struct config_time time;
    struct config_process process;
    char *status;        /* owned; key status: NULL: the default place, "": none */
    char *bind;          /* owned; key bind: address to listen on; NULL: all, IPv6 and IPv4 */
    bool port_optional;  /* set by who can do without: 0 then */
    unsigned port;       /* key port, required, 1..65535 */
    char *path;          /* owned; key path: "/" ; starts with '/' */
    char *auth;          /* owned; key auth: NULL or a non-empty secret */
    char *host;          /* owned; key host: NULL or the server's own domain */
    char **egress_allow; /* owned, NULL-terminated; NULL: everything */
    char **egress_deny;  /* owned, NULL-terminated; NULL: nothing but the built-in list */
    struct wsps_ca *upstream_ca; /* owned array; key upstream_ca */
    size_t upstream_ca_count;
    struct config_ssl ssl;       /* key ssl */
    enum config_dialect dialect; /* key dialect: auto */
    struct wsps_proxies proxies; /* keys proxy_protocol and trusted_proxies */
    struct config_memory memory; /* keys limits.memory and so on */
    long max_links;              /* key limits.links: 1024 */
    long max_channels;           /* key limits.channels_per_link: 4096 */
    long max_rate;        /* key limits.handshakes_per_second: 100 from one address; 0: no limit */
    long max_connections; /* key limits.connections: 8192 accepted on the public port */
};

/* Defaults. */
void wsps_config_init(struct wsps_config *c);
void wsps_config_fini(struct wsps_config *c);

/*
 * Reads and checks it, on top of the defaults; `error` gets one line on failure. WSP_OK,
 * WSP_ERR_CONFIG, or WSP_ERR_USAGE when the fault is in what lies over the file.
 */
enum wsp_err wsps_config_load(struct wsps_config *c, const struct config_source *from,
                              char error[CONFIG_ERROR_MAX]);

#endif
