#!/bin/sh
# Puts programs on PATH. One that is there already stays; any other comes from the release bucket and
# becomes executable only when its SHA-256 is the one that the caller names.
#
#   usage: sh buildspecs/install.sh PROGRAM...
#
# ACTIONS_RELEASE   where the programs are: s3://bucket/prefix, or a folder with a slash in its name;
#                   a release (scripts/pack-release), or just the files by their names
# ACTIONS_DIGESTS   what they must be: name=sha256 pairs with commas between them
# ACTIONS_BIN       where they go (default: /usr/local/bin); it must be on PATH
#
# Exit: 0 all are there, 2 refused (nothing was fetched), 1 what was fetched is not what was named,
# 4 it could not be fetched.
set -euf

bin=${ACTIONS_BIN:-/usr/local/bin}
fetched=

say() { printf 'install: %s\n' "$*" >&2; }
# fail CODE LINE...: the deed first, then cause and hint.
fail() {
    code=$1
    shift
    printf 'error: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit "$code"
}
trap 'if [ -n "$fetched" ]; then rm -f "$fetched"; fi' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# digest_of PROGRAM: its pair's value in ACTIONS_DIGESTS, nothing when it has none.
digest_of() (
    IFS=,
    for pair in ${ACTIONS_DIGESTS-}; do
        case $pair in
            "$1="*) printf '%s' "${pair#*=}" ;;
        esac
    done
)

# copy FROM TO: out of the bucket or the folder.
copy() {
    case $1 in
        s3://*) aws s3 cp --only-show-errors "$1" "$2" ;;
        *) cp "$1" "$2" ;;
    esac
}

# fetch PROGRAM DIGEST FILE: by its content, as a release stores it, else by its name. Why the first is
# not there is of interest only when the second is not there either.
fetch() {
    why=$(copy "$ACTIONS_RELEASE/blobs/$2" "$3" 2>&1) && return 0
    copy "$ACTIONS_RELEASE/$1" "$3" && return 0
    printf '%s\n' "$why" >&2
    return 1
}

install_program() {
    program=$1
    case $program in
        '' | *[!a-z0-9-]*) fail 2 "\"$program\" is not the name of a program" ;;
    esac
    if found=$(command -v "$program"); then
        say "$program is there already: $found"
        return 0
    fi
    case ${ACTIONS_RELEASE-} in
        */*) ;;
        '') fail 2 "cannot install $program: ACTIONS_RELEASE is not set" \
            'hint: name the folder of the programs, as in s3://bucket/programs' ;;
        *) fail 2 "cannot install $program: ACTIONS_RELEASE is \"$ACTIONS_RELEASE\", neither s3://bucket/prefix nor a folder" ;;
    esac
    digest=$(digest_of "$program")
    case $digest in
        '') fail 2 "cannot install $program: ACTIONS_DIGESTS does not name it" \
            "hint: add $program=SHA256 to the pipeline's parameter ProgramDigests" ;;
        *[!0-9a-f]*) fail 2 "cannot install $program: its digest in ACTIONS_DIGESTS is not a SHA-256 in lower-case hexadecimal digits" ;;
    esac
    [ "${#digest}" -eq 64 ] || fail 2 "cannot install $program: its digest in ACTIONS_DIGESTS has ${#digest} digits, a SHA-256 has 64"
    if [ ! -d "$bin" ] || [ ! -w "$bin" ]; then
        fail 2 "cannot install $program: $bin is not a folder that can be written to" \
            'hint: ACTIONS_BIN names another one, which must be on PATH'
    fi

    # In the same folder, so that the rename at the end is one step.
    fetched=$bin/.$program.$$
    fetch "$program" "$digest" "$fetched" || fail 4 "cannot fetch $ACTIONS_RELEASE/$program" \
        "nor $ACTIONS_RELEASE/blobs/$digest" \
        'hint: one of the two must be there, and the role of this build needs s3:GetObject on it'
    is=$(sha256sum "$fetched")
    is=${is%% *}
    [ "$is" = "$digest" ] || fail 1 "$ACTIONS_RELEASE/$program is not what ACTIONS_DIGESTS names; it was not installed" \
        "named: $digest" "found: $is" \
        'hint: after a new release, update ProgramDigests; otherwise find out who changed the file'
    chmod 0755 "$fetched"
    mv -f "$fetched" "$bin/$program"
    fetched=
    say "$program is installed in $bin ($digest)"
    command -v "$program" >/dev/null || fail 2 "$program is in $bin, but $bin is not on PATH" \
        'hint: put it there, or name another folder in ACTIONS_BIN'
}

[ "$#" -gt 0 ] || fail 2 'usage: sh buildspecs/install.sh PROGRAM...'
for name in "$@"; do install_program "$name"; done
