/* The command line of a daemon, and the configuration that it and the file make together. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <wsp/config.h>

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

/* What is one daemon's own in them. */
struct settings_rules {
    enum wsp_role role;
    const char *program;
    const struct args_option *option; /* the table */
    const char *examples;
    const char *file;        /* of the configuration, unless --config names another */
    const char *enough;      /* the option that makes a file needless: "port" */
    const char *enough_form; /* as people write it: "-p PORT" */
};

struct settings {
    const struct settings_rules *rules; /* borrowed */
    struct args args;
};

/* Parses; returns as args_parse. settings_fini either way. */
int settings_parse(struct settings *s, const struct settings_rules *rules, int argc, char **argv);
void settings_fini(struct settings *s);

/* The file to read: that of --config, none (NULL) when it is needless, or the usual one. */
const char *settings_file(const struct settings *s);

/* Whether that file has to be read: one that was not asked for need not be there. */
bool settings_has_file(const struct settings *s);

/* A configuration that was judged and found good. */
struct configured {
    struct wsp_config *config;  /* owned; NULL: none */
    struct wsp_process process; /* its own copy (daemon/process.h) */
};

/*
 * The file with the command line over it. Can be called again, and reads the file and those that
 * hold secrets anew then. A warning about one of these that others can read goes to standard error.
 * WSP_OK; WSP_ERR_CONFIG, WSP_ERR_USAGE or WSP_ERR_NOMEM with a line in `error`; configured_fini
 * either way.
 */
enum wsp_err settings_load(const struct settings *s, struct configured *out,
                           char error[WSP_ERROR_MAX]);
void configured_fini(struct configured *c);

#endif
