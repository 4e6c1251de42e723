#!/usr/bin/env bash
# `ls | sort -V | tail -n 1`, the usual way to find the newest release, finds an older one with toybox, and with BusyBox
# when the version has a suffix such as `.zip`.
#
# Seen: the last of each pair (GNU, Rust 0.0.17, BusyBox 1.35.0, toybox 0.8.9, Debian 12)
#              1.2, 1.2.1   app-1.2.zip, app-1.2.1.zip   v1.9~rc1, v1.9   1.9.2, 1.9.10
#   GNU, Rust  1.2.1        app-1.2.1.zip                v1.9             1.9.10
#   BusyBox    1.2.1        app-1.2.zip                  v1.9~rc1         1.9.10
#   toybox     1.2          app-1.2.zip                  v1.9~rc1         1.9.10
#
# A script that is tested on a GNU host and runs in a small container deploys the version before the fix, or keeps that
# one when it clears the others away. Names of equally many numbers and nothing behind them are safe with all four.
#
# Exit: 0 as described, 1 it changed, 2 the packages cannot be had here (it needs apt with Debian 12's packages).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
packages=(rust-coreutils=0.0.17-2 'toybox=0.8.9+dfsg-1' busybox-static=1:1.35.0-4+deb12u1+b1)
apt-get download -qq "${packages[@]}" 2>/dev/null || { echo "cannot download ${packages[*]}" >&2; exit 2; }
for package in ./*.deb; do dpkg -x "$package" .; done

rust=$work/usr/lib/cargo/bin/coreutils/sort
toybox=$(find "$work" -type f -name toybox -perm -u+x | head -n 1)
busybox=$(find "$work" -type f -name busybox -perm -u+x | head -n 1)

# last_of LIST COMMAND...: the newest of the list, in any order of it
last_of() { tr ' ' '\n' <<<"$1" | LC_ALL=C "${@:2}" -V | tail -n 1; }
row() {
    local list
    for list in '1.2.1 1.2' 'app-1.2.1.zip app-1.2.zip' 'v1.9 v1.9~rc1' '1.9.10 1.9.2'; do
        printf ' %s' "$(last_of "$list" "$@")"
    done
}
seen=$(row sort)
[[ $(row "$rust") == "$seen" ]] || seen+=" (Rust differs)"
busy=$(row "$busybox" sort)
toy=$(row "$toybox" sort)
printf '%s\n' "GNU, Rust:$seen" "BusyBox:$busy" "toybox:$toy"
[[ $seen == ' 1.2.1 app-1.2.1.zip v1.9 1.9.10' && $busy == ' 1.2.1 app-1.2.zip v1.9~rc1 1.9.10' &&
    $toy == ' 1.2 app-1.2.zip v1.9~rc1 1.9.10' ]] || { echo 'it changed' >&2; exit 1; }
