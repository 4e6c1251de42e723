#!/usr/bin/env bash
# `timeout` tells by its exit code whether the time was over (124) or what the command itself ended with. BusyBox says
# 143 when the time is over. toybox says 127, which means that there is no such command, for some commands that a signal
# killed, and 137 for others: the same call answers now this, now that.
#
# Seen (BusyBox 1.35.0, toybox 0.8.9, rust-coreutils 0.0.17, Debian 12):
#              the time is over   the command was killed by SIGKILL
#   GNU, Rust  124                137
#   BusyBox    143                137
#   toybox     124                127 or 137
#
# A deploy script that tries again after 124 gives up on a host with BusyBox: 143 looks as if somebody stopped the job.
# And on a host with toybox a program that the kernel killed for its memory is reported, now and then, as not installed.
#
# Exit: 0 as described, 1 it changed, 2 the packages cannot be had here (it needs apt with Debian 12's packages).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
packages=(rust-coreutils=0.0.17-2 'toybox=0.8.9+dfsg-1' busybox-static=1:1.35.0-4+deb12u1+b1)
apt-get download -qq "${packages[@]}" 2>/dev/null || { echo "cannot download ${packages[*]}" >&2; exit 2; }
for package in ./*.deb; do dpkg -x "$package" .; done

rust=$work/usr/lib/cargo/bin/coreutils/timeout
toybox=$(find "$work" -type f -name toybox -perm -u+x | head -n 1)
busybox=$(find "$work" -type f -name busybox -perm -u+x | head -n 1)

code_of() { "$@" >/dev/null 2>&1 && echo 0 || echo $?; }
# killed COMMAND...: the exit codes of up to 200 runs, each once; it ends early when there are two
killed() {
    local codes='' code
    for _ in {1..200}; do
        # shellcheck disable=SC2016 # The inner shell expands it.
        code=$(code_of "$@" 30 sh -c 'kill -KILL $$')
        [[ " $codes" == *" $code "* ]] || codes+="$code "
        [[ $codes != *' '*' ' ]] || break
    done
    tr ' ' '
' <<<"${codes% }" | sort | paste -sd/
}
seen=
for name in GNU Rust BusyBox toybox; do
    case $name in
    GNU) command=(timeout) ;;
    Rust) command=("$rust") ;;
    BusyBox) command=("$busybox" timeout) ;;
    toybox) command=("$toybox" timeout) ;;
    esac
    over=$(code_of "${command[@]}" 1 sleep 30)
    codes=$(killed "${command[@]}")
    echo "$name: the time is over $over, killed $codes"
    seen+="$over $codes "
done
[[ $seen == '124 137 124 137 143 137 124 127/137 ' ]] || { echo "it changed: $seen" >&2; exit 1; }
