
# Bash splits words at `=`, which filters have, and does not split lists at commas.
_trunkctl_words() {
    local -a words=()
    local piece index last=-1 joins=''
    for ((index = 0; index <= COMP_CWORD; index++)); do
        piece=${COMP_WORDS[index]}
        # Of the word under the cursor, only what stands before it.
        if [[ $index -eq $COMP_CWORD && $piece != '=' ]]; then piece=$2; fi
        if [[ $piece == '=' && $last -ge 0 ]]; then
            words[last]+='='
            joins=yes
        elif [[ -n $joins && $piece != -* ]]; then
            words[last]+=$piece
            joins=''
        else
            last=$((last + 1))
            words[last]=$piece
            joins=''
        fi
    done
    local current=${words[last]} previous='' done_before='' hidden=''
    if [[ $last -gt 0 ]]; then previous=${words[last - 1]}; fi
    case $previous in
    --sort | --include | --columns) done_before=${current%"${current##*,}"} ;;
    esac
    # What stands before the last `=` is for bash no part of the word that is completed.
    if [[ $COMP_WORDBREAKS == *'='* ]]; then hidden=${current%"${current##*=}"}; fi
    words[last]=${current#"$done_before"}
    local COMP_CWORD=$last
    local -a COMP_WORDS=("${words[@]}")
    _trunkctl "$1" "${words[last]}" "$previous"
    for index in "${!COMPREPLY[@]}"; do
        piece=$done_before${COMPREPLY[index]}
        COMPREPLY[index]=${piece#"$hidden"}
    done
    # A name of a filter goes on with its value.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
    return 0
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _trunkctl_words -o nosort -o bashdefault -o default trunkctl
else
    complete -F _trunkctl_words -o bashdefault -o default trunkctl
fi
