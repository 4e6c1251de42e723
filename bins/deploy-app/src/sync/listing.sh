#!/bin/sh
# Prints what the working folder holds: hashes, hashes of segments, links, what may be executed, and what its owner
# only may read.
# $segments is the Python that hashes files longer than 32 MiB in segments; without it there are none. $skip is what
# `find` passes over, as its own words.
# shellcheck disable=SC2016,SC2089,SC2090 # Scripts within the script have variables and quotes of their own.
# shellcheck disable=SC2086,SC2154 # Words of `find` are to be split; they are set by whoever uses this.

export LC_ALL=C

# Hashes the files it is given. By OpenSSL where the host has it: sha256sum of Debian and Ubuntu takes three times as
# long, for it does without the processor's own instructions.
hash='{ $tool "$@" || echo failed; } | awk "$lines"'
tool=sha256sum
case $(openssl dgst -sha256 -r /dev/null 2>/dev/null) in
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\ *) tool='openssl dgst -sha256 -r' ;;
esac
# Hands on whole lines, as many as go through a pipe in one piece: so several may share the output, and no packet
# carries a single line.
lines='$0 == "failed" { failed = 1; next }
length(lines) + length($0) > 4000 { printf "%s", lines; fflush(); lines = "" }
{ lines = lines $0 "\n" }
END { printf "%s", lines; exit failed }'
jobs=$(nproc 2>/dev/null || echo 1)
export hash jobs lines tool

# Names that no line can carry: each tool writes backslashes and line breaks in its own way, BusyBox as they are, and a
# line of more than 4096 bytes does not go through a pipe in one piece.
newline='
'
long=$(awk 'BEGIN { while (n++ < 4000) printf "?" }')
set -- -path '*\\*' -o -path "*$newline*" -o -path "$long*"
# Their files are hashed one by one, and nothing else writes meanwhile.
one='failed=0
for f do
    if h=$(sha256sum <"$f"); then printf "%s\0%s\0" "${h%% *}" "$f"; else failed=1; fi
done
exit $failed'

if [ -z "$segments" ]; then
    find . $skip -type f ! \( "$@" \) -print0 | xargs -0 -n 2000 -P "$jobs" sh -c "$hash" sh
    echo '== segments'
    find . $skip -type f \( "$@" \) -exec sh -c "$one" sh {} +
else
    find . $skip -type f ! -size +33554432c ! \( "$@" \) -print0 | xargs -0 -n 2000 -P "$jobs" sh -c "$hash" sh
    echo '== segments'
    # By Python's OpenSSL where the host has it (cloud-init needs it, so most have): coreutils' own code is
    # several times slower, and a part of a file reaches other tools through a pipe only.
    segment='[ -n "$2" ] || exit 0
h=$({ dd if="$2" bs=65536 skip=$(($1 * 512)) count=512 || tail -c +$(($1 * 33554432 + 1)) "$2" | head -c 33554432; } 2>/dev/null | sha256sum); printf "%s\0%s\0" "$1 ${h%% *}" "$2"'
    export segment segments
    # Neither `-exec` stands in parentheses: there BusyBox forgets those that end in a plus.
    find . $skip -type f -size +33554432c -exec sh -c '
if python3 -ISc "import hashlib, threading; hashlib.sha256()" 2>/dev/null; then exec python3 -ISc "$segments" "$@"; fi
for f do
    n=0; s=$(wc -c <"$f")
    while [ $((n * 33554432)) -lt "$s" ]; do printf "%s\0%s\0" "$n" "$f"; n=$((n + 1)); done
done | xargs -0 -n 2 -P "$jobs" sh -c "$segment" sh' sh {} + -o -type f ! -size +33554432c \( "$@" \) -exec sh -c "$one" sh {} +
fi
printf '\0'

if find . -maxdepth 0 -printf '' 2>/dev/null; then
    find . $skip -type l -printf 'l%p\0%l\0' -o -type f \( -perm -100 -printf 'x%p\0' -o -type f \) ! -perm -040 ! -perm -004 -printf 'p%p\0'
else
    find . $skip -type l -exec sh -c 'for l do t=$(readlink -n "$l"; echo x); printf "l%s\0%s\0" "$l" "${t%x}"; done' sh {} +
    find . $skip -type f -perm -100 -exec sh -c 'for f do printf "x%s\0" "$f"; done' sh {} +
    find . $skip -type f ! -perm -040 ! -perm -004 -exec sh -c 'for f do printf "p%s\0" "$f"; done' sh {} +
fi
