/* wspc: arguments, configuration, signals; the work is in src/client. */
#include <stdio.h>

#include "client/client.h"
#include "client/status.h"
#include "client/stdio_in.h"
#include "daemon/daemon.h"
#include "daemon/settings.h"
#include "daemon/status_ask.h"
#include "proto/forward.h"
#include "wsp/version.h"
#include "wspc/settings.h"

struct program {
    struct daemon daemon;
    struct client client;
    const struct args *args; /* borrowed; what a reload goes by */
};

static void on_drained(struct client *client)
{
    daemon_end(&container_of(client, struct program, client)->daemon);
}

/* -W: a signal ends it at once. */
static void on_signal_end(void *ctx)
{
    struct program *p = ctx;

    daemon_end(&p->daemon);
}

static void on_end(void *ctx)
{
    struct program *p = ctx;

    client_drain(&p->client, on_drained);
}

static void on_stdio_end(struct stdio_in *s)
{
    daemon_end(&container_of(s->client, struct program, client)->daemon);
}

/* The user info of a URL: what stands in a configuration can be copied. */
static bool parse_forward(const char *forward, char channel[FORWARD_URL_MAX],
                          char password[FORWARD_URL_MAX], bool *has_password)
{
    struct forward f;
    char url[FORWARD_URL_MAX], ignored[1];
    int n = snprintf(url, sizeof(url), "tcp://%s@", forward);

    if (n < 0 || (size_t)n >= sizeof(url) ||
        forward_parse(slice_str(url), &f, ignored, sizeof(ignored)) != WSP_OK ||
        f.channel.len == 0 || f.host.len || f.port >= 0)
        return false;
    snprintf(channel, FORWARD_URL_MAX, "%.*s", SLICE_FMT(f.channel));
    snprintf(password, FORWARD_URL_MAX, "%.*s", SLICE_FMT(f.password));
    *has_password = f.has_password;
    return true;
}

static int run_stdio(struct wspc_config *config, const char *forward, char error[CONFIG_ERROR_MAX])
{
    struct program p;
    struct stdio_in io = {.on_end = on_stdio_end};
    const struct config_process as_we_are = {.seccomp = config->process.seccomp};
    char channel[FORWARD_URL_MAX], password[FORWARD_URL_MAX];
    bool has_password;
    int status = EXIT_START;

    if (!parse_forward(forward, channel, password, &has_password)) {
        snprintf(error, CONFIG_ERROR_MAX,
                 "-W: expected channel[:password], percent-encoded as in a URL");
        return EXIT_USAGE;
    }
    config->client[0].connections = 1;
    if (config->log.level == WSP_LOG_INFO)
        config->log.level = WSP_LOG_WARN; /* standard error is the user's terminal */
    snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    if (daemon_open(&p.daemon, "wspc", &config->log, &as_we_are, error) == WSP_OK) {
        log_output_to_stderr(&p.daemon.log);
        p.daemon.on_end = on_signal_end;
        p.daemon.ctx = &p;
        if (daemon_ready(&p.daemon, &as_we_are, error) == WSP_OK &&
            client_start(&p.client, p.daemon.loop, config, error) == WSP_OK) {
            if (stdio_in_start(&io, &p.client, channel, has_password ? password : NULL) == WSP_OK)
                daemon_run(&p.daemon);
            client_stop(&p.client);
            stdio_in_fini(&io);
            status = io.failed ? EXIT_START : EXIT_OK;
            snprintf(error, CONFIG_ERROR_MAX, "channel %.200s: the connection failed", channel);
        }
    }
    daemon_close(&p.daemon);
    return status;
}

static void on_status(void *ctx, struct json_out *j)
{
    struct program *p = ctx;

    client_status_write(&p->client, j);
}

/* A server is connected as long as there is a link that takes opens. */
static void on_links(struct client *client)
{
    char status[NOTIFY_STATUS_MAX];

    snprintf(status, sizeof(status), "%zu of %zu servers connected", client_servers_up(client),
             client->session_count);
    notify_status(&container_of(client, struct program, client)->daemon.notify, status);
}

static enum wsp_err ready(struct program *p, const struct wspc_config *config,
                          char error[CONFIG_ERROR_MAX])
{
    const char *file = wspc_settings_file(p->args);
    enum wsp_err err = daemon_start_status(&p->daemon, config->status, file, error);

    if (err != WSP_OK)
        return err;
    p->client.on_links = on_links;
    on_links(&p->client);
    daemon_expect_reload(&p->daemon, file);
    daemon_expect_connections(&p->daemon, (size_t)config->max_connections);
    return daemon_ready(&p->daemon, &config->process, error);
}

/* What is freed in the end is the old configuration, or a new one that cannot be used. */
static enum wsp_err on_reload(void *ctx, char error[CONFIG_ERROR_MAX])
{
    struct program *p = ctx;
    struct wspc_config config;
    enum wsp_err err = wspc_settings_load(p->args, &config, error);

    if (err == WSP_OK)
        err = client_reload(&p->client, &config, error);
    if (err == WSP_OK) {
        daemon_set_log(&p->daemon, &p->client.config->log);
        daemon_note_process(&p->daemon, &config.process, &p->client.config->process);
        daemon_set_status(&p->daemon, p->client.config->status);
        on_links(&p->client);
    }
    wspc_config_fini(&config);
    return err;
}

static int run(struct wspc_config *config, const struct args *args, char error[CONFIG_ERROR_MAX])
{
    struct program p = {.args = args};
    int status = EXIT_START;

    if (daemon_open(&p.daemon, "wspc", &config->log, &config->process, error) == WSP_OK) {
        log_info(loop_log(p.daemon.loop), "wspc %s: starting", WSP_VERSION);
        if (client_start(&p.client, p.daemon.loop, config, error) == WSP_OK) {
            p.daemon.on_end = on_end;
            p.daemon.on_status = on_status;
            p.daemon.on_reload = on_reload;
            p.daemon.ctx = &p;
            if (ready(&p, config, error) == WSP_OK) {
                daemon_run(&p.daemon);
                status = EXIT_OK;
            }
            client_stop(&p.client);
        }
    }
    daemon_close(&p.daemon);
    return status;
}

static int start(const struct args *args)
{
    const char *file = wspc_settings_file(args);
    const char *channel = args_value(args, "channel");
    struct wspc_config config;
    char error[CONFIG_ERROR_MAX];
    enum wsp_err err = wspc_settings_load(args, &config, error);
    int status = err == WSP_OK ? EXIT_OK : err == WSP_ERR_USAGE ? EXIT_USAGE : EXIT_START;

    if (err == WSP_OK && args_has(args, "check"))
        printf("%s: configuration is fine\n", file ? file : "command line");
    else if (err == WSP_OK)
        status = channel ? run_stdio(&config, channel, error) : run(&config, args, error);
    if (status != EXIT_OK)
        log_output_fatal("wspc", error);
    wspc_config_fini(&config);
    return status;
}

/* Where to ask is in the file, if there is one. */
static int ask(const struct args *args)
{
    bool json = args_has(args, "json");
    struct wspc_config config;
    char error[CONFIG_ERROR_MAX];
    int status = EXIT_START;

    if (!settings_has_file(args, wspc_settings_file(args))) {
        status = status_ask("wspc", NULL, json, error);
    } else {
        if (wspc_settings_load(args, &config, error) == WSP_OK)
            status = status_ask("wspc", config.status, json, error);
        wspc_config_fini(&config);
    }
    if (status != EXIT_OK)
        log_output_fatal("wspc", error);
    return status;
}

int main(int argc, char **argv)
{
    struct args args;
    int status = wspc_settings_parse(&args, argc, argv);

    if (status < 0)
        status = args_has(&args, "status") ? ask(&args) : start(&args);
    args_fini(&args);
    return status;
}
