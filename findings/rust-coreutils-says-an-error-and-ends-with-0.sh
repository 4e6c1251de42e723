#!/usr/bin/env bash
# Two commands of Debian's Rust coreutils say what is wrong and end with 0: `sha256sum -c` when a listed file is
# missing, and `date -d` when it cannot read the date, which for `@0` and `1 hour ago` it cannot.
#
# Seen (rust-coreutils 0.0.17, Debian 12):
#   sha256sum -c with a missing file: GNU 1, Rust 0
#   date -d '1 hour ago': Rust 0 and 0 bytes on stdout
#   date -d '@0': Rust 0 and 0 bytes on stdout
#
# `set -e` does not help a deploy script here: an upload that is half there counts as whole, and a clean-up such as
# `find -newermt "$(date -d '1 hour ago' +%F)"` goes on with an empty date.
#
# Exit: 0 as described, 1 it changed, 2 the packages cannot be had here (it needs apt with Debian 12's packages).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
packages=(rust-coreutils=0.0.17-2)
apt-get download -qq "${packages[@]}" 2>/dev/null || { echo "cannot download ${packages[*]}" >&2; exit 2; }
for package in ./*.deb; do dpkg -x "$package" .; done

rust=$work/usr/lib/cargo/bin/coreutils
echo here >one
sha256sum one >sums
sha256sum one | sed 's/one$/two/' >>sums # A file that did not arrive.

code_of() { "$@" >stdout 2>/dev/null && echo 0 || echo $?; }
gnu=$(code_of sha256sum -c sums)
sums=$(code_of "$rust/sha256sum" -c sums)
echo "sha256sum -c with a missing file: GNU $gnu, Rust $sums"
seen="$gnu $sums"
for date in '1 hour ago' @0; do
    date -d "$date" >/dev/null # GNU knows it.
    code=$(code_of "$rust/date" -d "$date")
    printf 'date -d %s: Rust %s and %s bytes on stdout\n' "'$date'" "$code" "$(wc -c <stdout)"
    seen+=" $code $(wc -c <stdout)"
done
[[ $seen == '1 0 0 0 0 0' ]] || { echo "it changed: $seen" >&2; exit 1; }
