# What fish completes behind wspc; options and texts are those of wspc --help.
complete -c wspc -f
complete -c wspc -s s -l server -x -a 'ws:// wss://' -d 'connect to this wsps: ws[s]://host[:port][/path]'
complete -c wspc -s D -l dynamic -x -a 'socks5:// http://' -d 'listen as SOCKS5 or HTTP proxy'
complete -c wspc -s L -l local -x -a 'tcp:// unix://' -d 'listen, and connect to a channel'
complete -c wspc -s R -l remote -x -a 'http:// https:// tcp:// unix:// tunnel://' -d 'offer a service or a channel'
complete -c wspc -s W -l channel -x -d 'pipe to a channel: CHANNEL[:PASSWORD]'
complete -c wspc -l auth-file -r -F -d "file that holds the server's secret; or set WSP_AUTH"
complete -c wspc -s c -l config -r -F -d 'configuration file (default: wspc.json, none with -s)'
complete -c wspc -l log-level -x -a 'error warn info debug trace' -d 'error, warn, info (default), debug or trace'
complete -c wspc -l log-file -r -F -d 'append the log to FILE instead of standard output'
complete -c wspc -s t -l check -d 'check the configuration and exit'
complete -c wspc -l status -d 'show what the running daemon does, and exit'
complete -c wspc -l json -d 'with --status: as JSON'
complete -c wspc -s v -l version -d 'print the version and exit'
complete -c wspc -s h -l help -d 'print this help and exit'
