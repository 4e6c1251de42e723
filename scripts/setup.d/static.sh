# shellcheck shell=bash
# What scripts/build-static and the checks of its files need; sourced by scripts/setup.
# shellcheck disable=SC2154 # build is set there

setup_static() {
    local python=${PYTHON:-python3} venv=$build/zig pair missing=()
    if [[ ${STATIC_WAY-} == source ]] \
        || { [[ ${STATIC_WAY-} != rustup ]] && ! rustup target list --installed 2>/dev/null | grep -q -- -musl; }; then
        # program:package.
        for pair in /usr/bin/rustc:rustc-web /usr/bin/cargo:cargo-web /usr/lib/rustlib/src/rust/library:rust-web-src; do
            [[ -e ${pair%%:*} ]] || missing+=("${pair#*:}")
        done
    fi
    # What proves the files: their headers, the other architecture's instructions, and how many a hot path takes.
    for pair in file:file readelf:binutils openssl:openssl qemu-aarch64-static:qemu-user-static \
        /usr/bin/time:time valgrind:valgrind taskset:util-linux; do
        have "${pair%%:*}" || missing+=("${pair#*:}")
    done
    [[ ${#missing[@]} -eq 0 ]] || install_packages 'for static binaries' "${missing[@]}"
    if [[ -e $venv/stamp ]] && cmp -s "$venv/stamp" scripts/requirements-static.txt && "$venv/bin/python" -c '' 2>/dev/null; then
        return 0
    fi
    have "$python" || refuse "cannot find \`$python\`; run: scripts/setup tools"
    say "making $venv: downloading zig (some 90 MB; 480 MB unpacked)"
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off --quiet \
        --require-hashes -r scripts/requirements-static.txt >&2 \
        || fail "cannot install scripts/requirements-static.txt into $venv"
    cp scripts/requirements-static.txt "$venv/stamp"
    say "$venv is ready"
}
