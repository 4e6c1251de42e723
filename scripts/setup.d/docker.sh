# shellcheck shell=bash
# A Docker engine with Compose v2, for `scripts/setup docker`: the one that answers, or our own.
#
# Our own lives in build/docker: data (kept, it holds the images), exec, pid, docker.sock, log, env.
# `docker_stop` leaves of it only what is on disk. In somebody else's engine we touch nothing but
# images of the names that images.sh lists.

# Set by scripts/setup, which sources this file.
: "${build:?}"
engine=$build/docker
socket=$engine/docker.sock

own_engine_answers() { [[ -S $socket ]] && DOCKER_HOST=unix://$socket docker version >/dev/null 2>&1; }

docker_start() {
    mkdir -p "$engine"
    if [[ ${SETUP_DOCKER:-auto} != own ]] && ! own_engine_answers && have docker && docker version >/dev/null 2>&1; then
        say "using the Docker engine that answers (server $(docker version --format '{{.Server.Version}}'))"
        ensure_compose
        printf '# The machine has its own engine; nothing to set.\n' >"$engine/env"
    else
        start_own_engine
    fi
    ensure_images
}

start_own_engine() {
    [[ ${SETUP_DOCKER:-auto} != no ]] || refuse 'no Docker engine answers, and SETUP_DOCKER=no forbids to start one'
    [[ $(id -u) == 0 ]] || refuse 'no Docker engine answers; start one, or run this as root to have one started'
    # The kernel cuts a socket's path at 108 bytes; dockerd's own message for this is a riddle.
    [[ ${#socket} -lt 100 ]] || refuse "the path $socket is too long for a socket; set BUILD_DIR to a shorter one"
    ensure_engine_packages
    ensure_compose
    own_engine_answers || launch
    export DOCKER_HOST=unix://$socket
    printf 'export DOCKER_HOST=unix://%s\n' "$socket" >"$engine/env"
}

ensure_engine_packages() {
    local packages=() had_dockerd=
    have dockerd && had_dockerd=1
    [[ -n $had_dockerd ]] || packages+=(docker.io)
    have iptables || packages+=(iptables)
    # Newer releases pack the client apart from the engine.
    if ! have docker && apt_offers docker-cli; then packages+=(docker-cli); fi
    [[ ${#packages[@]} -gt 0 ]] || return 0
    install_packages 'a Docker engine' "${packages[@]}"
    [[ -n $had_dockerd ]] || rest_services docker.service docker.socket containerd.service
}

# The client alone, for `scripts/setup compose`: how it reads an env file is seen without an engine.
client_with_compose() {
    if ! have docker; then
        # Older releases pack the client with the engine, which is put to rest again.
        if apt_offers docker-cli; then
            install_packages "docker's client" docker-cli
        else
            install_packages "docker's client" docker.io
            rest_services docker.service docker.socket containerd.service
        fi
    fi
    mkdir -p "$engine"
    compose_v2 || ensure_compose
}

# Compose v1 (`docker-compose`, Python, dead since 2023) is never used: rag-app's file is for v2.
compose_v2() { docker compose version --short 2>/dev/null | grep -qE '^v?([2-9]|[1-9][0-9])\.'; }

ensure_compose() {
    if compose_v2 && docker buildx version >/dev/null 2>&1; then return 0; fi
    [[ $(id -u) == 0 ]] || refuse 'needs the Docker plugins Compose v2 and buildx; see https://docs.docker.com/compose/install/linux/'
    have apt-get || refuse 'needs the Docker plugins Compose v2 and buildx; see https://docs.docker.com/compose/install/linux/'
    update_package_lists
    if apt_offers docker-compose-v2; then
        install_packages 'Docker plugins' docker-compose-v2 docker-buildx
    elif apt_offers docker-compose 2 && apt_offers docker-buildx; then
        install_packages 'Docker plugins' docker-compose docker-buildx
    else
        unpack_plugins
    fi
    compose_v2 || fail 'docker compose is still not Compose v2; remove older plugins from ~/.docker/cli-plugins'
}

# Debian 12 has only Compose v1. The next release's plugins are single programs that run here too,
# so they are taken out of their packages; the system's own packages stay as they are.
unpack_plugins() {
    local work=$engine/plugins mirror plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins key
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [[ -e $key ]] || refuse 'needs the Docker plugins Compose v2 and buildx; see https://docs.docker.com/compose/install/linux/'
    mirror=$(distribution_mirror)
    say "downloading Compose v2 and buildx from Debian 13's packages into $plugins (30 MB)"
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/tree" "$plugins"
    printf 'deb [signed-by=%s] %s trixie main\n' "$key" "$mirror" >"$work/sources.list"
    # Downloading as root into a folder that only root may enter is not worth a warning.
    local apt=(-qq -o APT::Sandbox::User=root -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=-
        -o Dir::State::Lists="$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
    apt-get "${apt[@]}" update >&2
    (cd "$work" && apt-get "${apt[@]}" download docker-compose docker-buildx >&2) || fail "cannot download the Docker plugins from $mirror"
    local deb program
    for deb in "$work"/*.deb; do dpkg-deb --extract "$deb" "$work/tree"; done
    for program in docker-compose docker-buildx; do
        install -m 755 "$work/tree/usr/libexec/docker/cli-plugins/$program" "$plugins/$program.new"
        mv -f "$plugins/$program.new" "$plugins/$program"
    done
    rm -rf "$work"
}

# The mirror of this machine's own release, as apt is configured.
distribution_mirror() {
    local codename
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016 # These are apt's own placeholders.
    apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(REPO_URI)' \
        | awk -v release="$codename" '$1 == "Packages" && $2 == release { print $3; exit }'
}

launch() {
    local driver=overlay2 pid
    # Overlays do not stack: inside a container, files are copied instead.
    [[ $(stat -f -c %T "$engine") != overlayfs ]] || driver=vfs
    end_engine
    remember_network
    say "starting a Docker engine of its own in $engine (log: $engine/log)"
    # What this run starts it also ends, unless it gets to its end: by Ctrl-C or by any failure.
    trap '[[ $? == 0 ]] || docker_stop' EXIT
    # In a session of its own, so that Ctrl-C at the terminal does not reach it half-way; without
    # our lock, which it would hold for as long as it lives.
    setsid dockerd --data-root "$engine/data" --exec-root "$engine/exec" --pidfile "$engine/pid" \
        --host "unix://$socket" --storage-driver "$driver" </dev/null >"$engine/log" 2>&1 9>&- &
    pid=$!
    for _ in {1..300}; do
        if own_engine_answers; then return 0; fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    grep -E 'level=(error|fatal)|failed to start' "$engine/log" | tail -n 3 >&2 || :
    fail "dockerd did not start within 30 s (all of it: $engine/log)"
}

docker_stop() {
    if own_engine_answers; then
        export DOCKER_HOST=unix://$socket
        say "ending the Docker engine in $engine with its containers"
        # Removed, not only stopped: a restart policy would bring them back with the next engine.
        docker ps --all --quiet | xargs -r docker rm --force >/dev/null
        docker network prune --force >/dev/null
    elif [[ -e $engine/env ]] && have docker && docker version >/dev/null 2>&1; then
        # Somebody else's engine: it keeps running, and keeps nothing under a false name.
        remove_stand_ins
    fi
    end_engine
    rm -f "$engine/env"
}

# End the engine whether or not it answers: its process, what it left running, mounts, network.
end_engine() {
    local pid=
    [[ -d $engine ]] || return 0
    [[ $(id -u) == 0 ]] || return 0
    for pid in $(engine_processes dockerd); do kill -TERM "$pid" 2>/dev/null || :; done
    for _ in {1..200}; do
        [[ -n $(engine_processes dockerd) ]] || break
        sleep 0.1
    done
    for pid in $(engine_processes ''); do kill -KILL "$pid" 2>/dev/null || :; done
    # Deepest first. Mount points with spaces read as \040 there.
    awk -v under="$engine/" '{ gsub(/\\040/, " ", $2) } index($2, under) == 1 { print $2 }' /proc/mounts \
        | sort -r | while read -r mount; do umount --lazy "$mount" || :; done
    rm -rf "$engine/exec" "$engine/pid" "$socket"
    restore_network
}

# Pids whose command line names our folder as the engine, its containerd and their helpers do.
engine_processes() {
    local file
    for file in /proc/[0-9]*/cmdline; do
        { tr '\0' ' ' <"$file" || :; } 2>/dev/null | grep -qE "^[^ ]*($1)[^ ]* .*$engine/(exec|data)" || continue
        file=${file#/proc/}
        printf '%s\n' "${file%/cmdline}"
    done
}

# The engine turns forwarding on, closes the FORWARD chain, and adds chains and a bridge.
remember_network() {
    [[ ! -e $engine/network && ! -e /sys/class/net/docker0 ]] || return 0
    printf '%s %s\n' "$(cat /proc/sys/net/ipv4/ip_forward)" \
        "$(iptables -S FORWARD 2>/dev/null | sed -n 's/^-P FORWARD //p')" >"$engine/network"
}

# Only what we recorded before is put back, and never under an engine that runs beside ours.
restore_network() {
    local forward policy tool
    [[ -e $engine/network ]] || return 0
    # A zombie is an engine that has ended, and waits for an init that is slow to notice.
    # shellcheck disable=SC2009 # pgrep cannot tell a zombie.
    if ps -C dockerd -o stat= | grep -qv '^Z'; then return 0; fi
    read -r forward policy <"$engine/network"
    ip link delete docker0 2>/dev/null || :
    for tool in iptables ip6tables; do
        "$tool-save" 2>/dev/null | grep -vE 'DOCKER|docker0' | "$tool-restore" 2>/dev/null || :
    done
    iptables -P FORWARD "${policy:-ACCEPT}" 2>/dev/null || :
    printf '%s' "$forward" >/proc/sys/net/ipv4/ip_forward
    rm -f "$engine/network"
}
