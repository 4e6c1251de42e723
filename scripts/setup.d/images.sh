# shellcheck shell=bash
# The base images of rag-app, for `scripts/setup docker`: pulled, or stand-ins under the same names.
#
# A stand-in carries a label with the digest of what it was made from, so that it is told from a
# real image, rebuilt when its ingredients change, and never takes the name of an image that is here.

: "${build:?}" "${root:?}"
label=pipeline-actions.stand-in
base=pipeline-actions-stand-in-base:latest
python_image=python:3.12-slim
ollama_image=ollama/ollama:latest

ensure_images() {
    local key image missing=()
    key=$(cat "$root"/examples/stand-ins/*/* "$root/examples/rag-app/requirements.txt" | sha256sum | cut -c1-16)
    for image in "$python_image" "$ollama_image"; do
        case $(image_kind "$image") in
            real | "$key") ;;
            *) missing+=("$image") ;;
        esac
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    for image in "${missing[@]}"; do
        # A stand-in that is out of date means that pulling failed before; it is not tried each time.
        if [[ ${SETUP_IMAGES:-auto} != stand-in && $(image_kind "$image") == none ]]; then
            say "pulling $image"
            if docker pull "$image" >"$build/docker/pull.log" 2>&1; then continue; fi
            say "cannot pull $image: $(tail -n 1 "$build/docker/pull.log")"
            [[ ${SETUP_IMAGES:-auto} != pull ]] || fail "SETUP_IMAGES=pull, so no stand-in is built for $image"
        fi
        stand_in_base
        case $image in
            "$python_image") stand_in_python "$key" ;;
            "$ollama_image") stand_in_ollama "$key" ;;
        esac
        say "built a STAND-IN for $image; it is not the real image (to remove it: docker rmi $image)"
    done
}

# `none`, `real`, or the key of a stand-in.
image_kind() {
    local kind
    if kind=$(docker image inspect --format "{{with .Config.Labels}}{{index . \"$label\"}}{{end}}" "$1" 2>/dev/null); then
        printf '%s' "${kind:-real}"
    else
        printf none
    fi
}

remove_stand_ins() {
    local image
    for image in "$python_image" "$ollama_image" "$base"; do
        case $(image_kind "$image") in
            none) ;;
            real) [[ $image != "$base" ]] || docker rmi "$image" >/dev/null || : ;;
            *) say "removing the stand-in for $image"; docker rmi "$image" >/dev/null || : ;;
        esac
    done
}

# This machine's own release with Python, from its packages: what both stand-ins rest on.
stand_in_base() {
    local tree=$build/docker/base.tar partial=$build/docker/base.partial.tar codename
    if docker image inspect "$base" >/dev/null 2>&1; then return 0; fi
    [[ $(id -u) == 0 ]] || refuse 'stand-ins are built from Debian packages, which needs root; or make the base images available'
    if [[ ! -e $tree ]]; then
        have mmdebstrap || install_packages 'stand-ins for base images' mmdebstrap
        # shellcheck source=/dev/null
        codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
        say "downloading and unpacking a minimal $codename with Python for the stand-ins (70 MB, about 20 s)"
        mmdebstrap --quiet --format=tar --variant=essential --include=python3,python3-venv,ca-certificates,passwd \
            --components="$(distribution_components)" \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' \
            "$codename" "$partial" "$(distribution_mirror)" >&2 \
            || { rm -f "$partial"; fail "cannot build the base of the stand-ins from packages of $codename"; }
        mv -f "$partial" "$tree"
    fi
    docker import "$tree" "$base" >/dev/null
}

# Ubuntu keeps Python's venv in `universe`; Debian has everything in `main`.
distribution_components() {
    # shellcheck source=/dev/null
    (. /etc/os-release && if [[ $ID == ubuntu ]]; then printf main,universe; else printf main; fi)
}

stand_in_python() {
    local context=$build/docker/context-python version machine
    version=$(docker run --rm --network none "$base" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    machine=$(uname -m)
    rm -rf "$context"
    mkdir -p "$context"
    cp "$root/examples/stand-ins/python/Dockerfile" "$context/"
    setup_python
    say "downloading rag-app's wheels for Python $version into the stand-in for $python_image"
    # For the container's Python, which may be another one than this machine's.
    "$build/venv/bin/python" -m pip download --quiet --disable-pip-version-check --only-binary=:all: \
        --python-version "$version" --implementation cp --platform "manylinux2014_$machine" --platform "manylinux_2_28_$machine" \
        --dest "$context/wheelhouse" -r "$root/examples/rag-app/requirements.txt" >&2 \
        || fail 'cannot download the wheels of rag-app'
    build_stand_in "$context" "$python_image" "$1"
    rm -rf "$context"
}

stand_in_ollama() { build_stand_in "$root/examples/stand-ins/ollama" "$ollama_image" "$1"; }

# The context holds all that is needed, so the build gets no network.
build_stand_in() {
    docker build --quiet --network none --build-arg "BASE=$base" --label "$label=$3" --tag "$2" "$1" >/dev/null \
        || fail "cannot build the stand-in for $2"
}
