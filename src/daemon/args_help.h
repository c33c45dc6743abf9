/* What --help and --version print. */
#ifndef DAEMON_ARGS_HELP_H
#define DAEMON_ARGS_HELP_H

#include "daemon/args.h"

void args_print_help(const struct args *a);
void args_print_version(const struct args *a);

#endif
