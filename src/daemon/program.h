/*
 * What both daemons do alike: they load their settings, check them or ask the one that runs, or run
 * a service until they are told to end.
 */
#ifndef DAEMON_PROGRAM_H
#define DAEMON_PROGRAM_H

#include "daemon/daemon.h"
#include "daemon/settings.h"

struct program;

/* What it runs: a server or a client. */
struct service {
    /* In the daemon's loop. WSP_OK, or an error with a line in `error`: then nothing is left. */
    enum wsp_err (*start)(struct program *p, char error[WSP_ERROR_MAX]);
    /* Goes on with another configuration, or changes nothing and says why in `error`. */
    enum wsp_err (*reload)(struct program *p, struct wsp_config *config, char error[WSP_ERROR_MAX]);
    void (*drain)(struct program *p); /* calls daemon_end when it is done */
    void (*stop)(struct program *p);
    char *(*status)(struct program *p); /* as wsp_server_status */
    /* One line for the service manager; see program_tell. */
    void (*describe)(struct program *p, char out[NOTIFY_STATUS_MAX]);
};

struct program {
    const struct service *service;
    /* Runs it with `configured`: program_serve, or something of its own. Returns the exit status,
     * other than EXIT_OK with a line in `error`. */
    int (*run)(struct program *p, char error[WSP_ERROR_MAX]);
    struct settings settings;
    struct configured configured; /* what it runs with */
    struct daemon daemon;
};

/* All of main; `service` and `run` are set, the rest is zeroed. Returns the exit status. */
int program_main(struct program *p, const struct settings_rules *rules, int argc, char **argv);

/* Runs the service until a signal has ended it. */
int program_serve(struct program *p, char error[WSP_ERROR_MAX]);

/* What the service says of itself has changed. */
void program_tell(struct program *p);

#endif
