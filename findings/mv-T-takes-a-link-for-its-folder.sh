#!/usr/bin/env bash
# `mv -T new current`, the usual way to switch a link to a folder in one rename, fails with toybox and with Debian's Rust
# coreutils: both take the link `current` for the folder that it leads to. `mv new/current .` does it with all of them.
#
# GNU and BusyBox call rename(2), which replaces the link itself. toybox 0.8.9 says that 'current' is a directory,
# rust-coreutils 0.0.17 that a directory cannot be overwritten with a non-directory (both of Debian 12). Moved into its
# parent folder, under the name that it shall have, the link is replaced in one rename by all four.
#
# Exit: 0 as described, 1 it changed, 2 the packages cannot be had here (it needs apt with Debian 12's packages).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq toybox=0.8.9+dfsg-1 rust-coreutils=0.0.17-2 busybox 2>/dev/null \
    || { echo 'cannot download toybox 0.8.9+dfsg-1, rust-coreutils 0.0.17-2 and busybox' >&2; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root; done
tools=$(echo "$work"/root/{,usr/}bin)
find_tool() { for folder in $tools; do [[ ! -x $folder/$1 ]] || { echo "$folder/$1"; return; }; done; }

# switched COMMAND...: where `current` leads after the command in a folder with both releases
switched() {
    rm -rf host && mkdir -p host/releases/{1,2} host/next
    cd host
    ln -s releases/1 current
    ln -s releases/2 next/current
    "$@" >/dev/null 2>&1 </dev/null || :
    readlink current
    cd ..
}

seen=
for mv in mv "$(find_tool busybox) mv" "$(find_tool toybox) mv" "$work/root/usr/lib/cargo/bin/coreutils/mv"; do
    # shellcheck disable=SC2086 # Some are two words.
    seen+="$(switched $mv -T next/current current) $(switched $mv -f next/current .)"$'\n'
done
printf 'with -T, and into the folder (GNU, BusyBox, toybox, Rust):\n%s' "$seen"
[[ $seen == $'releases/2 releases/2\nreleases/2 releases/2\nreleases/1 releases/2\nreleases/1 releases/2\n' ]] \
    || { echo 'it changed' >&2; exit 1; }
