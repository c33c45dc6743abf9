#include "daemon/args.h"

#include <getopt.h>
#include <stdio.h>

#include "wsp/version.h"

static void print_help(const struct args *a)
{
    printf("usage: %s [-c FILE] [-t] | -v | -h\n"
           "\n"
           "  -c, --config FILE  configuration file (default: %s)\n"
           "  -t, --test         check the configuration and exit\n"
           "%s"
           "  -v, --version      print version, release date and protocol version\n"
           "  -h, --help         print this help\n"
           "\n"
           "%s\n"
           "exit status: 0 ended on request; 1 configuration or start-up error; 2 bad usage\n",
           a->program, a->config,
           a->has_forward
               ? "  -W CHANNEL[:PASSWORD]\n"
                 "                     connect standard input and output to a channel of "
                 "the\n"
                 "                     first server in the file (for ssh's "
                 "ProxyCommand)\n"
               : "",
           a->help);
}

int args_parse(struct args *a, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"test", no_argument, NULL, 't'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int opt;

    while ((opt = getopt_long(argc, argv, a->has_forward ? "c:tvhW:" : "c:tvh", options, NULL)) >=
           0) {
        switch (opt) {
        case 'c':
            a->config = optarg;
            break;
        case 'W':
            a->forward = optarg;
            break;
        case 't':
            a->check = true;
            break;
        case 'v':
            printf("%s %s, released %s, protocol %s\n", a->program, WSP_VERSION, WSP_RELEASE_DATE,
                   WSP_PROTOCOL);
            return EXIT_OK;
        case 'h':
            print_help(a);
            return EXIT_OK;
        default:
            fprintf(stderr, "try '%s -h'\n", a->program);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument '%s'\ntry '%s -h'\n", a->program, argv[optind],
                a->program);
        return EXIT_USAGE;
    }
    return -1;
}
