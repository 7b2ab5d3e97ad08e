# bash completion of arvo; installed as bash-completion/completions/arvo

_arvo_options() {
    case "$1" in
    run) echo "--event --store --follow --json --metrics-file --trace --violations --remotes --help" ;;
    work) echo "--store --threads --claim-ms --lease-ms --attempts --metrics --mocks --no-mocks --until-idle --json --remotes --help" ;;
    "machine check") echo "--json --sarif --strict --remotes --help" ;;
    "machine simulate") echo "--events --input --snapshot --app --persist --remotes --help" ;;
    "machine diagram") echo "--machine --output --format --direction --snapshot --store --subject --app --remotes --help" ;;
    "machine paths") echo "--machine --json --remotes --help" ;;
    "machine import") echo "--output --help" ;;
    "machine export") echo "--machine --output --help" ;;
    "contract check") echo "--json --remotes --help" ;;
    "contract example") echo "--type --version --invalid --minimal --seed --json --remotes --help" ;;
    "contract diff") echo "--strict --all --json --markdown --remotes --help" ;;
    "contract docs") echo "--output --html --remotes --help" ;;
    "contract export") echo "--uri --asyncapi --remotes --help" ;;
    "contract import") echo "--uri --remotes --help" ;;
    "contract validate") echo "--type --version --data --json --remotes --help" ;;
    "schema validate") echo "--draft --format --remotes --output --json --help" ;;
    "event new")
        echo "--type --source --subject --data --to --app --version --init --reply-to --dataschema --redirectto" \
            "--accesscontrol --executionunits --id --time --parentid --ext --pretty --remotes --help"
        ;;
    "event validate") echo "--app --json --remotes --help" ;;
    "event send") echo "--store --app --json --remotes --help" ;;
    "subject new") echo "--name --version --id --domain --meta --initiator --help" ;;
    "subject child") echo "--name --version --id --domain --meta --help" ;;
    "subject decode") echo "--json --help" ;;
    ps) echo "--store --orchestrator --status --json --help" ;;
    show | history) echo "--store --json --help" ;;
    trace) echo "--store --json --svg --help" ;;
    "dlq list" | "dlq show") echo "--store --json --help" ;;
    "dlq retry" | "dlq drop") echo "--store --all --json --help" ;;
    purge) echo "--store --older-than --status --orchestrator --dry-run --json --help" ;;
    backup | restore | import) echo "--store --json --help" ;;
    export) echo "--store --output --json --help" ;;
    "store check" | "store migrate" | "store stats") echo "--json --help" ;;
    doctor)
        echo "--store --backup --backup-age --clock-skew-ms --dead-max --disk-free --leases-max --outbox-age --outbox-max" \
            "--json --remotes --help"
        ;;
    support-bundle) echo "--store --output --with-data --help" ;;
    sim) echo "--seed --seeds --processes --workflows --faults --keep --store --event --expect --json --remotes --help" ;;
    bench) echo "--events --event --store --json --remotes --help" ;;
    esac
}

_arvo() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local verbs="run work machine contract schema event subject ps show history trace dlq purge backup restore export import store doctor support-bundle sim bench version help"
    local actions command=${COMP_WORDS[1]}
    COMPREPLY=()

    if [ "$COMP_CWORD" -eq 1 ] || { [ "$command" = help ] && [ "$COMP_CWORD" -eq 2 ]; }; then
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$current")
        return
    fi
    case "$command" in
    machine) actions="check simulate diagram paths import export" ;;
    contract) actions="check validate example diff docs export import" ;;
    schema) actions="validate" ;;
    event) actions="new validate send" ;;
    subject) actions="new child decode" ;;
    dlq) actions="list show retry drop" ;;
    store) actions="check migrate stats" ;;
    esac
    if [ -n "${actions-}" ]; then
        if [ "$COMP_CWORD" -eq 2 ]; then
            mapfile -t COMPREPLY < <(compgen -W "$actions" -- "$current")
            return
        fi
        command="$command ${COMP_WORDS[2]}"
    fi

    # Of one verb it takes a value, of another none.
    [ "$command $previous" != "schema validate --format" ] || previous=
    case "$previous" in
    --violations) mapfile -t COMPREPLY < <(compgen -W "event return" -- "$current") ;;
    --status) mapfile -t COMPREPLY < <(compgen -W "active done error" -- "$current") ;;
    --format) mapfile -t COMPREPLY < <(compgen -W "svg dot mermaid" -- "$current") ;;
    --direction) mapfile -t COMPREPLY < <(compgen -W "TB LR" -- "$current") ;;
    --draft) mapfile -t COMPREPLY < <(compgen -W "7 2020-12" -- "$current") ;;
    --output)
        local values=()
        if [ "$command" = "schema validate" ]; then
            mapfile -t values < <(compgen -W "flag basic detailed" -- "$current")
        else
            mapfile -t values < <(compgen -f -- "$current")
        fi
        COMPREPLY=("${values[@]}")
        ;;
    --faults)
        local faults="crash answer refuse full slow pause partition clock power disk probe duplicate delay lose again"
        mapfile -t COMPREPLY < <(compgen -W "$faults none all" -- "$current")
        ;;
    --store) mapfile -t COMPREPLY < <(compgen -W "memory: sqlite: postgres:// redis:// redis+unix://" -- "$current") ;;
    *)
        if [[ $current == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$(_arvo_options "$command")" -- "$current")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
        fi
        ;;
    esac
}

complete -o filenames -F _arvo arvo
