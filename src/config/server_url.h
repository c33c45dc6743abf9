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
    unsigned port;          /* 80 when the URL has none */
};

/*
 * Parses ws://host[:port][/path][?query]. On failure *why is a static text that holds no part of
 * the URL. Returns WSP_OK or WSP_ERR_CONFIG.
 */
enum wsp_err server_url_parse(struct slice text, struct server_url *url, const char **why);

#endif
