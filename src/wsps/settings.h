/* The command line of wsps. */
#ifndef WSPS_SETTINGS_H
#define WSPS_SETTINGS_H

#include "daemon/settings.h"

extern const struct settings_rules wsps_settings;

#endif
