# What fish completes behind wsps; options and texts are those of wsps --help.
complete -c wsps -f
complete -c wsps -s p -l port -x -d 'the web port, for clients and visitors'
complete -c wsps -l path -x -d 'path on which clients are accepted (default: /)'
complete -c wsps -l host -x -d 'own domain; clients can then offer services by domain'
complete -c wsps -l bind -x -d 'address to listen on (default: all)'
complete -c wsps -l auth-file -r -F -d "file that holds the clients' secret; or set WSP_AUTH"
complete -c wsps -s c -l config -r -F -d 'configuration file (default: wsps.json, none with -p)'
complete -c wsps -l log-level -x -a 'error warn info debug trace' -d 'error, warn, info (default), debug or trace'
complete -c wsps -l log-file -r -F -d 'append the log to FILE instead of standard output'
complete -c wsps -s t -l check -d 'check the configuration and exit'
complete -c wsps -l status -d 'show what the running daemon does, and exit'
complete -c wsps -l json -d 'with --status: as JSON'
complete -c wsps -s v -l version -d 'print the version and exit'
complete -c wsps -s h -l help -d 'print this help and exit'
