# What bash completes behind wspc; the options are those of wspc --help.

# The beginnings of URLs; what follows is for the user to type.
_wspc_urls() {
    compopt -o nospace 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -W "$(printf "%s:// " "$@")" -- "$cur")
}

_wspc() {
    local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
    # bash splits words at "=": --option = value
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $option == "=" ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $option in
        -s | --server) _wspc_urls ws wss ;;
        -D | --dynamic) _wspc_urls socks5 http ;;
        -L | --local) _wspc_urls tcp unix ;;
        -R | --remote) _wspc_urls http https tcp unix tunnel ;;
        -W | --channel) ;;
        -c | --config | --auth-file | --log-file)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            ;;
        --log-level) mapfile -t COMPREPLY < <(compgen -W "error warn info debug trace" -- "$cur") ;;
        *)
            mapfile -t COMPREPLY < <(compgen -W "
                -s --server -D --dynamic -L --local -R --remote -W --channel --auth-file
                -c --config --log-level --log-file -t --check --status --json
                -v --version -h --help
                " -- "$cur")
            ;;
    esac
}

complete -F _wspc wspc
