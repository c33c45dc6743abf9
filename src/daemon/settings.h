/* From the command line to the overlay of a configuration. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include "config/common.h"
#include "daemon/args.h"

/* Rows that both tables have; the second ends a table. */
#define SETTINGS_AUTH_OPTION(its_key, whose)                                           \
    {                                                                                  \
        .name = "auth-file", .value = "FILE",                                          \
        .help = "file that holds " whose " secret; or set WSP_AUTH", .key = (its_key), \
        .environment = "WSP_AUTH", .is_file = true,                                    \
    }
#define SETTINGS_COMMON_OPTIONS(config_help)                                          \
    {.letter = 'c', .name = "config", .value = "FILE", .help = (config_help)},        \
        {.name = "log-level",                                                         \
         .value = "LEVEL",                                                            \
         .help = "error, warn, info (default), debug or trace",                       \
         .key = "log.level"},                                                         \
        {.name = "log-file",                                                          \
         .value = "FILE",                                                             \
         .help = "append the log to FILE instead of standard output",                 \
         .key = "log.output"},                                                        \
        {.letter = 't', .name = "check", .help = "check the configuration and exit"}, \
        {.name = "status", .help = "show what the running daemon does, and exit"},    \
        {.name = "json", .help = "with --status: as JSON"},                           \
        {.letter = 'v', .name = "version", .help = "print the version and exit"},     \
        {.letter = 'h', .name = "help", .help = "print this help and exit"},          \
    {                                                                                 \
        .name = NULL                                                                  \
    }

/*
 * The settings of the command line, in the order of its table, the files that hold secrets read
 * anew. A warning about one that others can read goes to standard error. WSP_OK, or WSP_ERR_CONFIG
 * or WSP_ERR_USAGE with a line in `error`; overlay_fini either way.
 */
enum wsp_err settings_overlay(const struct args *args, struct overlay *out,
                              char error[CONFIG_ERROR_MAX]);

/* The file to read: that of --config, none (NULL) when the option `enough` makes one needless, or
 * `usual`. */
const char *settings_file(const struct args *args, const char *enough, const char *usual);

/* Whether that file has to be read: one that was not asked for need not be there. */
bool settings_has_file(const struct args *args, const char *file);

/* When the usual file is the one to read and not there, adds to `error` what does without it: "-p
 * PORT". */
void settings_advise(const struct args *args, const char *file, const char *enough,
                     char error[CONFIG_ERROR_MAX]);

#endif
