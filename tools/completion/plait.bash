# Completion of plait's command line for bash.
_plait() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]-}
    local options=
    COMPREPLY=()

    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'fetch demo net ps tree top trace help --help --version' -- "$cur")
        return
    fi
    case $command in
    help)
        [ "$COMP_CWORD" -eq 2 ] && mapfile -t COMPREPLY < <(compgen -W 'fetch demo net ps tree top trace' -- "$cur")
        return
        ;;
    fetch)
        case $prev in
        -i | --input | --cacert)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        -o | --output)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
            ;;
        -j | --jobs | --per-host | --rate | --timeout | --connect-timeout | --stall-timeout | --retries | \
            --max-redirects | -H | --header | -A | --user-agent | -x | --proxy)
            return
            ;;
        esac
        options='--input --output --resume --sync --jobs --per-host --rate --timeout --connect-timeout
            --stall-timeout --retries --max-redirects --header --user-agent --proxy --cacert --insecure --http1.1
            --http2 --raw --accept-unmarked-end --json --quiet --help --usage --version'
        ;;
    ps | tree | top)
        case $prev in
        --state)
            mapfile -t COMPREPLY < <(compgen -W 'new ready running waiting' -- "$cur")
            return
            ;;
        -s | --sort)
            local keys='id name state since'
            [ "$command" = top ] && keys='run wait id name'
            mapfile -t COMPREPLY < <(compgen -W "$keys" -- "$cur")
            return
            ;;
        --name | -n | --limit | --count | -d | --delay) return ;;
        esac
        case $command in
        ps) options='--state --name --limit --sort --stacks --no-stacks --json --help --usage --version' ;;
        tree) options='--all --json --help --usage --version' ;;
        top) options='--delay --batch --count --sort --help --usage --version' ;;
        esac
        if [ "${cur#-}" = "$cur" ]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur" && cd /proc && compgen -G '[0-9]*' | grep "^$cur")
            return
        fi
        ;;
    trace)
        case $prev in
        -p | --pid)
            mapfile -t COMPREPLY < <(cd /proc && compgen -G '[0-9]*' | grep "^$cur")
            return
            ;;
        -s | --seconds | --ring | -n | --limit) return ;;
        esac
        options='--output --pid --seconds --ring --no-open --summary --json --limit --convert --help --usage --version'
        if [ "${cur#-}" = "$cur" ]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
        fi
        ;;
    demo) options='--json --page --help --usage --version' ;;
    net)
        case $prev in
        --cacert)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        -x | --proxy | --ntp | --portal-url | --portal-expect) return ;;
        esac
        options='--self --ipv4 --ipv6 --load --links --arp --dns --path --proxy --cacert --ntp --portal-url
            --portal-expect --watch --verbose --plain --json --help --usage --version'
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
}
complete -F _plait plait
