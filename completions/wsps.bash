# What bash completes behind wsps; the options are those of wsps --help.

_wsps() {
    local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
    # bash splits words at "=": --option = value
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $option == "=" ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $option in
        -p | --port | --path | --host | --bind) ;;
        -c | --config | --auth-file | --log-file)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            ;;
        --log-level) mapfile -t COMPREPLY < <(compgen -W "error warn info debug trace" -- "$cur") ;;
        *)
            mapfile -t COMPREPLY < <(compgen -W "
                -p --port --path --host --bind --auth-file -c --config --log-level --log-file
                -t --check --status --json -v --version -h --help
                " -- "$cur")
            ;;
    esac
}

complete -F _wsps wsps
