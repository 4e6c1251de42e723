#!/usr/bin/env bash
# `dd bs=1 count=N` of Debian's Rust coreutils takes more from a pipe than N bytes.
#
# POSIX has dd read `count` blocks of `bs` bytes and no more, so `{ dd bs=1 count=2; cat; }` is the usual way to take the
# head off a stream in a shell and to leave the rest to the next command. In rust-coreutils 0.0.17 (Debian 12) dd reads
# standard input through a buffer of its own: the rest of what it read is lost with it. A script that comes on the
# standard input of an SSH session before the data that it reads must therefore be read by the shell's `read`.
#
# Exit: 0 as described, 1 it changed, 2 the package cannot be had here (it needs apt with Debian 12's packages).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq rust-coreutils=0.0.17-2 2>/dev/null || { echo 'cannot download rust-coreutils 0.0.17-2' >&2; exit 2; }
dpkg -x rust-coreutils_*.deb .
dd=$work/usr/lib/cargo/bin/coreutils/dd
"$dd" --version | head -n 1

left_by() { printf 'abcdefghij' | { "$@" >/dev/null 2>&1; cat; }; }
printf 'GNU leaves:  %s\n' "$(left_by dd bs=1 count=2)"
printf 'Rust leaves: %s\n' "$(left_by "$dd" bs=1 count=2)"
# Seen: GNU leaves `cdefghij`, Rust leaves nothing.
[[ $(left_by dd bs=1 count=2) == cdefghij && -z $(left_by "$dd" bs=1 count=2) ]] || { echo 'it changed' >&2; exit 1; }
