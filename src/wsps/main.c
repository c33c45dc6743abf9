/* wsps: arguments, configuration, signals; the work is in src/server. */
#include <stdio.h>

#include "config/wsps_config.h"
#include "daemon/args.h"
#include "daemon/daemon.h"
#include "server/server.h"
#include "wsp/version.h"

struct program {
    struct daemon daemon;
    struct server server;
};

static void on_drained(struct server *server)
{
    daemon_end(&container_of(server, struct program, server)->daemon);
}

static void on_end(void *ctx)
{
    struct program *p = ctx;

    server_drain(&p->server, on_drained);
}

static void tell_ready(struct program *p)
{
    char address[ADDRESS_TEXT_MAX], status[NOTIFY_STATUS_MAX];

    address_text(&p->server.listener.local, address);
    snprintf(status, sizeof(status), "listening on %s", address);
    notify_status(&p->daemon.notify, status);
    daemon_ready(&p->daemon);
}

static int run(const struct wsps_config *config, char error[CONFIG_ERROR_MAX])
{
    struct program p;
    int status = EXIT_START;

    if (daemon_open(&p.daemon, "wsps", &config->log, error) == WSP_OK) {
        log_info(loop_log(p.daemon.loop), "wsps %s: starting", WSP_VERSION);
        if (server_start(&p.server, p.daemon.loop, config, error) == WSP_OK) {
            p.daemon.on_end = on_end;
            p.daemon.ctx = &p;
            tell_ready(&p);
            daemon_run(&p.daemon);
            server_stop(&p.server);
            status = EXIT_OK;
        }
    }
    daemon_close(&p.daemon);
    return status;
}

int main(int argc, char **argv)
{
    struct args args = {
        .program = "wsps",
        .config = "wsps.json",
        .help = "example, in wsps.json:\n"
                "  {\"port\": 8010, \"path\": \"/proxy\", \"auth\": \"a long random secret\"}\n",
    };
    struct wsps_config config;
    char error[CONFIG_ERROR_MAX];
    int status = args_parse(&args, argc, argv);

    if (status >= 0)
        return status;
    status = EXIT_START;
    wsps_config_init(&config);
    if (wsps_config_load(&config, args.config, error) != WSP_OK) {
        log_output_fatal("wsps", error);
    } else if (args.check) {
        printf("%s: configuration is fine\n", args.config);
        status = EXIT_OK;
    } else {
        status = run(&config, error);
        if (status != EXIT_OK)
            log_output_fatal("wsps", error);
    }
    wsps_config_fini(&config);
    return status;
}
