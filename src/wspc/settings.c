#include "wspc/settings.h"

/* --server stands first: it adds the entry of `client` that the others go into. */
static const struct args_option options[] = {
    {.letter = 's',
     .name = "server",
     .value = "URL",
     .help = "connect to this wsps: ws[s]://host[:port][/path]",
     .key = "client[+].server",
     .is_secret = true},
    {.letter = 'D',
     .name = "dynamic",
     .value = "URL",
     .help = "listen as SOCKS5 or HTTP proxy",
     .key = "client[].dynamic[]",
     .is_secret = true,
     .is_repeatable = true},
    {.letter = 'L',
     .name = "local",
     .value = "URL",
     .help = "listen, and connect to a channel",
     .key = "client[].local[]",
     .is_secret = true,
     .is_repeatable = true},
    {.letter = 'R',
     .name = "remote",
     .value = "URL",
     .help = "offer a service or a channel",
     .key = "client[].remote[]",
     .is_secret = true,
     .is_repeatable = true},
    {.letter = 'W',
     .name = "channel",
     .value = "CHANNEL",
     .help = "pipe to a channel: CHANNEL[:PASSWORD]",
     .is_secret = true},
    SETTINGS_AUTH_OPTION("client[].auth", "the server's"),
    SETTINGS_COMMON_OPTIONS("configuration file (default: wspc.json, none with -s)"),
};

const struct settings_rules wspc_settings = {
    .role = WSP_CLIENT,
    .program = "wspc",
    .option = options,
    .examples = "examples, each with -s ws://example.com:8010 --auth-file secret:\n"
                "  wspc -D socks5://127.0.0.1:1080 -D http://127.0.0.1:8118  forward proxy\n"
                "  wspc -R 'http://127.0.0.1:8080?mode=path&value=app'       offer a web service\n"
                "  wspc -R tcp://ssh:password@127.0.0.1:22                   offer a channel\n"
                "  wspc -L tcp://ssh:password@127.0.0.1:2200                 use it at a port\n"
                "  wspc -W ssh:password                                      use it as a pipe\n",
    .file = "wspc.json",
    .enough = "server",
    .enough_form = "-s URL",
};
