/* The command line of wsps, and the configuration that it and the file make together. */
#ifndef WSPS_SETTINGS_H
#define WSPS_SETTINGS_H

#include "config/wsps_config.h"
#include "daemon/args.h"

/* Parses into `args`; returns as args_parse. args_fini either way. */
int wsps_settings_parse(struct args *args, int argc, char **argv);

/*
 * The configuration: defaults, the file, and the command line over it. Can be called again, and
 * reads its files anew then. WSP_OK, or WSP_ERR_CONFIG or WSP_ERR_USAGE with a line in `error`;
 * wsps_config_fini either way.
 */
enum wsp_err wsps_settings_load(const struct args *args, struct wsps_config *config,
                                char error[CONFIG_ERROR_MAX]);

/* The file that it reads, or NULL when it needs none. */
const char *wsps_settings_file(const struct args *args);

#endif
