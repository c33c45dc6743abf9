/* The command line that both daemons have. */
#ifndef DAEMON_ARGS_H
#define DAEMON_ARGS_H

#include <stdbool.h>

/* Exit statuses. */
enum {
    EXIT_OK = 0,
    EXIT_START = 1, /* configuration or start-up error */
    EXIT_USAGE = 2, /* bad command line */
};

struct args {
    const char *program; /* "wsps" or "wspc" */
    const char *help;    /* what -h prints behind the usage line */
    const char *config;  /* -c, or "<program>.json" */
    bool check;          /* -t */
    bool has_forward;    /* -W is an option of this program */
    const char *forward; /* -W: channel[:password], or NULL */
};

/* Parses argv; program, help and the default of config are set. Returns -1 to go on, or the status
 * to exit with (-h and -v have printed then, errors too). */
int args_parse(struct args *a, int argc, char **argv);

#endif
