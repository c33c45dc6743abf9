/* The command line of wspc, and the configuration that it and the file make together. */
#ifndef WSPC_SETTINGS_H
#define WSPC_SETTINGS_H

#include "config/wspc_config.h"
#include "daemon/args.h"

/* Parses into `args`; returns as args_parse. args_fini either way. */
int wspc_settings_parse(struct args *args, int argc, char **argv);

/*
 * The configuration: defaults, the file, and the command line over it; with --channel only the link
 * for it and what the command line adds. Can be called again, and reads its files anew then.
 * WSP_OK, or WSP_ERR_CONFIG or WSP_ERR_USAGE with a line in `error`; wspc_config_fini either way.
 */
enum wsp_err wspc_settings_load(const struct args *args, struct wspc_config *config,
                                char error[CONFIG_ERROR_MAX]);

/* The file that it reads, or NULL when it needs none. */
const char *wspc_settings_file(const struct args *args);

#endif
