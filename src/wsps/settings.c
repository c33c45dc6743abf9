#include "wsps/settings.h"

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

const struct settings_rules wsps_settings = {
    .role = WSP_SERVER,
    .program = "wsps",
    .option = options,
    .examples = "examples, for any number of wspc:\n"
                "  wsps -p 8010 --auth-file secret                   forward proxy, channels,\n"
                "                                                    services by path\n"
                "  wsps -p 80 --host example.com --auth-file secret  services by domain, too\n"
                "  wsps -c /etc/wsp/wsps.json\n",
    .file = "wsps.json",
    .enough = "port",
    .enough_form = "-p PORT",
};
