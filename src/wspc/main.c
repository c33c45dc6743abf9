/* wspc: arguments, configuration, signals; the work is in src/client. */
#include <stdio.h>

#include "client/client.h"
#include "config/wspc_config.h"
#include "daemon/args.h"
#include "daemon/daemon.h"
#include "wsp/version.h"

struct program {
    struct daemon daemon;
    struct client client;
};

static void on_drained(struct client *client)
{
    daemon_end(&container_of(client, struct program, client)->daemon);
}

static void on_end(void *ctx)
{
    struct program *p = ctx;

    client_drain(&p->client, on_drained);
}

static int run(const struct wspc_config *config, char error[CONFIG_ERROR_MAX])
{
    struct program p;
    int status = EXIT_START;

    if (daemon_open(&p.daemon, "wspc", &config->log, error) == WSP_OK) {
        log_info(loop_log(p.daemon.loop), "wspc %s: starting", WSP_VERSION);
        if (client_start(&p.client, p.daemon.loop, config, error) == WSP_OK) {
            p.daemon.on_end = on_end;
            p.daemon.ctx = &p;
            daemon_run(&p.daemon);
            client_stop(&p.client);
            status = EXIT_OK;
        }
    }
    daemon_close(&p.daemon);
    return status;
}

int main(int argc, char **argv)
{
    struct args args = {
        .program = "wspc",
        .config = "wspc.json",
        .help = "example, in wspc.json:\n"
                "  {\"client\": [{\"server\": \"ws://example.com:8010/proxy\",\n"
                "               \"auth\": \"the secret of the server\",\n"
                "               \"dynamic\": [\"socks5://127.0.0.1:1080\", "
                "\"http://127.0.0.1:8080\"]}]}\n",
    };
    struct wspc_config config;
    char error[CONFIG_ERROR_MAX];
    int status = args_parse(&args, argc, argv);

    if (status >= 0)
        return status;
    status = EXIT_START;
    wspc_config_init(&config);
    if (wspc_config_load(&config, args.config, error) != WSP_OK) {
        fprintf(stderr, "wspc: %s\n", error);
    } else if (args.check) {
        printf("%s: configuration is fine\n", args.config);
        status = EXIT_OK;
    } else {
        status = run(&config, error);
        if (status != EXIT_OK)
            fprintf(stderr, "wspc: %s\n", error);
    }
    wspc_config_fini(&config);
    return status;
}
