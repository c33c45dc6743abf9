#compdef wsps
# What zsh completes behind wsps; options and texts are those of wsps --help.

_arguments -s -S \
    '(-p --port)'{-p+,--port=}'[the web port, for clients and visitors]:PORT:' \
    '--path=[path on which clients are accepted (default: /)]:PATH:' \
    '--host=[own domain; clients can then offer services by domain]:NAME:_hosts' \
    '--bind=[address to listen on (default: all)]:ADDRESS:' \
    "--auth-file=[file that holds the clients' secret; or set WSP_AUTH]:FILE:_files" \
    '(-c --config)'{-c+,--config=}'[configuration file (default: wsps.json, none with -p)]:FILE:_files' \
    '--log-level=[error, warn, info (default), debug or trace]:LEVEL:(error warn info debug trace)' \
    '--log-file=[append the log to FILE instead of standard output]:FILE:_files' \
    '(-t --check)'{-t,--check}'[check the configuration and exit]' \
    '--status[show what the running daemon does, and exit]' \
    '--json[with --status: as JSON]' \
    '(-v --version)'{-v,--version}'[print the version and exit]' \
    '(-h --help)'{-h,--help}'[print this help and exit]'
