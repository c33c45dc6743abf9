#include "wsps/settings.h"

#include "daemon/settings.h"

static const struct args_option options[] = {
    {.letter = 'p',
     .name = "port",
     .value = "PORT",
     .help = "the web port, for clients and visitors",
     .key = "port",
     .is_number = true},
    {.name = "path",
     .value = "PATH",
     .help = "path on which clients are accepted (default: /)",
     .key = "path"},
    {.name = "host",
     .value = "NAME",
     .help = "own domain; clients can then offer services by domain",
     .key = "host"},
    {.name = "bind",
     .value = "ADDRESS",
     .help = "address to listen on (default: all)",
     .key = "bind"},
    SETTINGS_AUTH_OPTION("auth", "the clients'"),
    SETTINGS_COMMON_OPTIONS("configuration file (default: wsps.json, none with -p)"),
};

int wsps_settings_parse(struct args *args, int argc, char **argv)
{
    *args = (struct args){
        .program = "wsps",
        .option = options,
        .examples = "examples, for any number of wspc:\n"
                    "  wsps -p 8010 --auth-file secret                   forward proxy, channels,\n"
                    "                                                    services by path\n"
                    "  wsps -p 80 --host example.com --auth-file secret  services by domain, too\n"
                    "  wsps -c /etc/wsp/wsps.json\n",
    };
    return args_parse(args, argc, argv);
}

const char *wsps_settings_file(const struct args *args)
{
    return settings_file(args, "port", "wsps.json");
}

enum wsp_err wsps_settings_load(const struct args *args, struct wsps_config *config,
                                char error[CONFIG_ERROR_MAX])
{
    const char *file = wsps_settings_file(args);
    struct overlay overlay;
    enum wsp_err err = settings_overlay(args, &overlay, error);

    wsps_config_init(config);
    if (err == WSP_OK) {
        const struct config_source from = {.file = file, .over = &overlay};

        err = wsps_config_load(config, &from, error);
        settings_advise(args, file, "-p PORT", error);
    }
    overlay_fini(&overlay);
    return err;
}
