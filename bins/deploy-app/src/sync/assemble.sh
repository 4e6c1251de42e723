#!/bin/sh
# How a file is put together: over a copy of the old one where `dd` can write into the middle, else part
# after part, by `dd` where it counts in bytes, else by `tail` and `head`. What is called follows.
# shellcheck disable=SC2317 # The calls are appended for each deployment.
set -e
g=
if dd if=/dev/null bs=1 iflag=skip_bytes,count_bytes oflag=seek_bytes conv=notrunc skip=0 count=0 of=/dev/null 2>/dev/null; then
    g=1
fi

# file PATH: the file that the next calls are about. It is not there until they write to it: ext4 has a file that was
# emptied on the disk before whoever filled it again may close it (auto_da_alloc in ext4(5)), a new one later.
file() {
    mkdir -p "${1%/*}"
    rm -f "$1"
    f=$1
    c=
}

# copy OLD LENGTH: begin with the first LENGTH bytes of OLD
copy() {
    [ -n "$g" ] || return 0
    cp --reflink=auto "$1" "$f" 2>/dev/null || cp "$1" "$f"
    # It came with the old one's mode, of which the application may have made what it likes.
    chmod u+rw "$f"
    dd if=/dev/null of="$f" bs=1 seek="$2" count=0 2>/dev/null
    c=$1
}

# part FROM SKIP LENGTH SEEK: LENGTH bytes of FROM, after its first SKIP, at SEEK
part() {
    if [ -n "$c" ]; then
        [ "$1 $2" = "$c $4" ] || dd if="$1" of="$f" bs=4194304 iflag=skip_bytes,count_bytes oflag=seek_bytes \
            conv=notrunc skip="$2" count="$3" seek="$4" 2>/dev/null
    elif [ -n "$g" ]; then
        dd if="$1" bs=4194304 iflag=skip_bytes,count_bytes skip="$2" count="$3" 2>/dev/null >>"$f"
    else
        tail -c +"$(($2 + 1))" "$1" | head -c "$3" >>"$f"
    fi
}

# done_with MODE
done_with() {
    chmod "$1" "$f"
}

