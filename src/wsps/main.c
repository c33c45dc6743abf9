/* wsps: arguments, configuration, signals; the work is in src/server. */
#include <stdio.h>

#include "config/wsps_config.h"
#include "daemon/args.h"
#include "daemon/daemon.h"
#include "server/server.h"
#include "wsp/version.h"

static int run(const struct wsps_config *config, char error[CONFIG_ERROR_MAX])
{
    struct daemon d;
    struct server server;
    int status = EXIT_START;

    if (daemon_open(&d, "wsps", &config->log, error) == WSP_OK) {
        log_info(loop_log(d.loop), "wsps %s: starting", WSP_VERSION);
        if (server_start(&server, d.loop, config, error) == WSP_OK) {
            daemon_run(&d);
            server_stop(&server);
            status = EXIT_OK;
        }
    }
    daemon_close(&d);
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
        fprintf(stderr, "wsps: %s\n", error);
    } else if (args.check) {
        printf("%s: configuration is fine\n", args.config);
        status = EXIT_OK;
    } else {
        status = run(&config, error);
        if (status != EXIT_OK)
            fprintf(stderr, "wsps: %s\n", error);
    }
    wsps_config_fini(&config);
    return status;
}
