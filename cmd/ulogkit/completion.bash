# What the script below needs of the bash-completion package, also where that is not
# installed.

# __ulogkit_words sets cur, prev, words and cword of its caller. bash splits words at "="
# and ":" as well; what stood together is put together again.
__ulogkit_words()
{
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@"
        return
    fi
    local i rest=$COMP_LINE trimmed
    words=() cword=0
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        trimmed=${rest#"${rest%%[![:space:]]*}"}
        if ((i > 0)) && [[ $trimmed == "$rest" && (${COMP_WORDS[i]} == [=:]* || ${COMP_WORDS[i - 1]} == *[=:]) ]]; then
            words[${#words[@]} - 1]+=${COMP_WORDS[i]}
        else
            words+=("${COMP_WORDS[i]}")
        fi
        rest=${trimmed#"${COMP_WORDS[i]}"}
        if ((i == COMP_CWORD)); then
            cword=$((${#words[@]} - 1))
        fi
    done
    cur=${words[cword]}
    prev=${words[cword - 1]}
}

# __ulogkit_filedir offers folders, and files with one of the ends in "a|b|", or any.
__ulogkit_filedir()
{
    if declare -F _filedir >/dev/null 2>&1; then
        _filedir "$@"
        return
    fi
    local name IFS=$'\n'
    compopt -o filenames 2>/dev/null
    for name in $(compgen -f -- "$cur"); do
        if [[ -d $name || $# -eq 0 || ($1 != -d && $name == *.@(${1%|})) ]]; then
            COMPREPLY+=("$name")
        fi
    done
}

