/* The command line of wspc. */
#ifndef WSPC_SETTINGS_H
#define WSPC_SETTINGS_H

#include "daemon/settings.h"

extern const struct settings_rules wspc_settings;

#endif
