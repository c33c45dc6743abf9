/* The key `server`: where wspc finds its wsps. */
#ifndef CONFIG_SERVER_URL_H
#define CONFIG_SERVER_URL_H

#include "base/slice.h"
#include "wsp/err.h"

/* All slices point into the URL. */
struct server_url {
    struct slice host;      /* without brackets */
    struct slice authority; /* host[:port] as written */
    struct slice target;    /* path and query as written: may be empty or start with '?' */
    unsigned port;          /* when the URL has none: 80, or 443 of wss:// */
    bool secure;            /* wss:// */
};

/*
 * Parses ws://host[:port][/path][?query], or wss://. On failure *why is a static text that holds no
 * part of the URL. Returns WSP_OK or WSP_ERR_CONFIG.
 */
enum wsp_err server_url_parse(struct slice text, struct server_url *url, const char **why);

#endif
