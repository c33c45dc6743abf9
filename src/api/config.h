/* How servers and clients get the configuration that the program has put together. */
#ifndef API_CONFIG_H
#define API_CONFIG_H

#include "config/wspc_config.h"
#include "config/wsps_config.h"
#include "wsp/config.h"

/* Judges it as wsps.json or wspc.json into `out`, which the caller finis either way. `error` may be
 * NULL. Returns as wsp_config_check; WSP_ERR_USAGE for NULL. */
enum wsp_err config_load_server(struct wsp_config *c, bool port_optional, struct wsps_config *out,
                                char error[WSP_ERROR_MAX]);
enum wsp_err config_load_client(struct wsp_config *c, struct wspc_config *out,
                                char error[WSP_ERROR_MAX]);

/* Sets the text for the program, unless it wants none (NULL). */
void error_set(char *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
