#compdef wspc
# What zsh completes behind wspc; options and texts are those of wspc --help.

# The beginnings of URLs; what follows is for the user to type.
_wspc_urls() {
    compadd -S '' -- $^@://
}

_arguments -s -S \
    '(-s --server)'{-s+,--server=}'[connect to this wsps: ws[s\]://host[:port\][/path\]]:URL: _wspc_urls ws wss' \
    '*'{-D+,--dynamic=}'[listen as SOCKS5 or HTTP proxy]:URL: _wspc_urls socks5 http' \
    '*'{-L+,--local=}'[listen, and connect to a channel]:URL: _wspc_urls tcp unix' \
    '*'{-R+,--remote=}'[offer a service or a channel]:URL: _wspc_urls http https tcp unix tunnel' \
    '(-W --channel)'{-W+,--channel=}'[pipe to a channel: CHANNEL[:PASSWORD\]]:CHANNEL:' \
    "--auth-file=[file that holds the server's secret; or set WSP_AUTH]:FILE:_files" \
    '(-c --config)'{-c+,--config=}'[configuration file (default: wspc.json, none with -s)]:FILE:_files' \
    '--log-level=[error, warn, info (default), debug or trace]:LEVEL:(error warn info debug trace)' \
    '--log-file=[append the log to FILE instead of standard output]:FILE:_files' \
    '(-t --check)'{-t,--check}'[check the configuration and exit]' \
    '--status[show what the running daemon does, and exit]' \
    '--json[with --status: as JSON]' \
    '(-v --version)'{-v,--version}'[print the version and exit]' \
    '(-h --help)'{-h,--help}'[print this help and exit]'
