#!/bin/sh
# Makes containers and data mounts of an instance stand still while EC2 begins its snapshots.
#
#   usage: still.sh freeze    stop or pause the containers, write everything out, freeze the mounts
#          still.sh thaw      undo all of it, and print for how long it held
#          still.sh lease     undo all of it after LEASE seconds, if nobody has by then
#
# Beside it lies `settings`: CONTAINERS and MOUNTS (one a line), HOW (pause or stop), LEASE (seconds).
# Whoever makes the folder `claim` is the one who undoes; it is made once, so only one does.
#
# Exit: 0 done; 201 could not freeze, undone; 202 could not undo all; 203 the lease was first.
set -u
here=$(dirname "$0")
# shellcheck source=/dev/null
. "$here/settings"

# Hundredths of a second since the start of the machine.
clock() { read -r up _ </proc/uptime && printf '%s\n' "$up" | tr -d .; }

# undo: the mounts first, in reverse; then the containers. Goes on after a failure.
undo() {
    undone=0
    if [ -e "$here/frozen" ]; then
        sed '1!G;h;$!d' "$here/frozen" >"$here/frozen.reverse"
        while IFS= read -r mount; do
            fsfreeze -u "$mount" || undone=1
        done <"$here/frozen.reverse"
    fi
    if [ -e "$here/held" ]; then
        while IFS= read -r container; do
            case $HOW in
                pause) docker unpause "$container" >/dev/null || undone=1 ;;
                *) docker start "$container" >/dev/null || undone=1 ;;
            esac
        done <"$here/held"
    fi
    return "$undone"
}

# is_needed MOUNT: it has the device of / or /boot, or nobody can tell. A subvolume has a device number
# of its own, so that its source is compared too, where there is a findmnt.
is_needed() {
    own=$(stat -L -c %d "$1") || return 0
    source=$(findmnt -n -v -o SOURCE --target "$1" 2>/dev/null) || source=
    for needed in / /boot; do
        [ "$own" != "$(stat -L -c %d "$needed" 2>/dev/null)" ] || return 0
        [ -z "$source" ] || [ "$source" != "$(findmnt -n -v -o SOURCE --target "$needed" 2>/dev/null)" ] || return 0
    done
    return 1
}

fail() {
    echo "still: $*" >&2
    if mkdir "$here/claim" 2>/dev/null; then undo || exit 202; fi
    exit 201
}

freeze() {
    # Everything that can be wrong is looked at before anything stands still.
    if [ -n "$CONTAINERS" ]; then
        printf '%s\n' "$CONTAINERS" | while IFS= read -r container; do
            [ "$(docker inspect -f '{{.State.Running}}' "$container" 2>&1)" = true ] || { echo "$container"; break; }
        done >"$here/absent"
        [ ! -s "$here/absent" ] || fail "container $(cat "$here/absent") does not run"
    fi
    if [ -n "$MOUNTS" ]; then
        printf '%s\n' "$MOUNTS" | while IFS= read -r mount; do
            mountpoint -q "$mount" || { echo "$mount"; break; }
        done >"$here/absent"
        [ ! -s "$here/absent" ] || fail "$(cat "$here/absent") is not a mount point"
        # A bind mount, or a subvolume, of the root file system would stop everything, the thaw too.
        printf '%s\n' "$MOUNTS" | while IFS= read -r mount; do
            is_needed "$mount" && { echo "$mount"; break; }
        done >"$here/absent"
        [ ! -s "$here/absent" ] || fail "$(cat "$here/absent") is of the file system of / or /boot, which is never frozen"
    fi
    # The lease runs first: from here on the instance lets itself go, whatever becomes of us.
    setsid sh "$0" lease </dev/null >/dev/null 2>&1 &
    clock >"$here/since"
    if [ -n "$CONTAINERS" ]; then
        printf '%s\n' "$CONTAINERS" >"$here/containers"
        while IFS= read -r container; do
            # Noted before, so that one that is half stopped is started again too.
            printf '%s\n' "$container" >>"$here/held"
            docker "$HOW" "$container" >/dev/null || fail "cannot $HOW container $container"
        done <"$here/containers"
    fi
    sync
    if [ -n "$MOUNTS" ]; then
        printf '%s\n' "$MOUNTS" >"$here/mounts"
        while IFS= read -r mount; do
            fsfreeze -f "$mount" || fail "cannot freeze $mount"
            printf '%s\n' "$mount" >>"$here/frozen"
        done <"$here/mounts"
    fi
    [ ! -e "$here/claim" ] || { echo 'still: the lease ended before everything stood still' >&2; exit 203; }
    echo frozen
}

case ${1-} in
    freeze) freeze ;;
    thaw)
        mkdir "$here/claim" 2>/dev/null || { echo 'still: the lease ended first' >&2; exit 203; }
        undo || exit 202
        echo "thawed $((($(clock) - $(cat "$here/since")) * 10))"
        ;;
    lease)
        sleep "$LEASE"
        if mkdir "$here/claim" 2>/dev/null; then undo; else rm -rf "$here"; fi
        ;;
    *) sed -n '4,6s/^# *//p' "$0" >&2; exit 2 ;;
esac
