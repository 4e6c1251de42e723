#!/usr/bin/env bash
# `install` of Debian's Rust coreutils writes into the file that is there; GNU's and toybox's put a new file in its
# place. After `cp -al current next`, which shares every file of a release with the next one, it changes the old release
# too.
#
# Seen: the old release after `install` into the new one
#   GNU: old
#   toybox: old
#   Rust: new
#
# rust-coreutils 0.0.17 (Debian 12). Releases that share their files by hard links save a disk, and rest on this: a new
# file never touches the old release. Here the release that a rollback goes back to has the new file, and nothing
# failed.
#
# Exit: 0 as described, 1 it changed, 2 the packages cannot be had here (it needs apt with Debian 12's packages).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
packages=(rust-coreutils=0.0.17-2 'toybox=0.8.9+dfsg-1')
apt-get download -qq "${packages[@]}" 2>/dev/null || { echo "cannot download ${packages[*]}" >&2; exit 2; }
for package in ./*.deb; do dpkg -x "$package" .; done

rust=$work/usr/lib/cargo/bin/coreutils/install
toybox=$(find "$work" -type f -name toybox -perm -u+x | head -n 1)
echo new >config

old_release_after() {
    rm -rf releases
    mkdir -p releases/1
    echo old >releases/1/config
    cp -al releases/1 releases/2
    "$@" -m 0644 config releases/2/config
    [[ $(<releases/2/config) == new ]] && cat releases/1/config
}

gnu=$(old_release_after install)
toy=$(old_release_after "$toybox" install)
rust=$(old_release_after "$rust")
printf '%s\n' "GNU: $gnu" "toybox: $toy" "Rust: $rust"
[[ "$gnu $toy $rust" == "old old new" ]] || { echo 'it changed' >&2; exit 1; }
