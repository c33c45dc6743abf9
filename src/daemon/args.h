/* The command line of a daemon: its table of options, and what was given. */
#ifndef DAEMON_ARGS_H
#define DAEMON_ARGS_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses. */
enum {
    EXIT_OK = 0,
    EXIT_START = 1, /* configuration or start-up error */
    EXIT_USAGE = 2, /* bad command line */
};

/* One row of the table. Man pages and completions are tested against what --help makes of it. */
struct args_option {
    char letter;             /* 'c' of -c; 0: the long form only */
    const char *name;        /* "config" of --config; NULL ends the table */
    const char *value;       /* what help calls the value; NULL: a flag */
    const char *help;        /* one line */
    const char *key;         /* the setting it makes (wsp/config.h); NULL: none */
    const char *environment; /* the variable that stands for it, with the setting itself */
    bool is_number;          /* of the setting */
    bool is_file;            /* the value names a file, whose first line is the setting */
    bool is_secret;          /* parts of the value may be: they are wiped from the process title */
    bool is_repeatable;
};

struct args_given {
    const struct args_option *option;
    char *text;            /* owned; NULL for a flag */
    bool from_environment; /* text is the setting itself */
};

struct args {
    const char *program;              /* "wsps" or "wspc" */
    const struct args_option *option; /* the table; has --help and --version */
    const char *examples;             /* what help shows behind the options */
    struct args_given *given;         /* owned array, in the order of the command line */
    size_t given_count;
};

/*
 * Parses argv and the variables of the table; program, option and examples are set. Secrets are
 * overwritten where they stood. Returns -1 to go on, or the status to exit with: --help and
 * --version have printed then, errors too, without any value. args_fini either way.
 */
int args_parse(struct args *a, int argc, char **argv);
void args_fini(struct args *a);

/* Was the option of this long name given; the value it was given, or NULL. */
bool args_has(const struct args *a, const char *name);
const char *args_value(const struct args *a, const char *name);

/* "-D", or "--path" for an option without a letter; returns out. */
#define ARGS_LABEL_MAX 32
const char *args_label(const struct args_option *o, char out[ARGS_LABEL_MAX]);

#endif
