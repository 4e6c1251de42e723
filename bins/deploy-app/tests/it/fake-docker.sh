# The docker of the tests, after lines that set: tools (our folder), target (the target folder), the
# application's variables. It writes down how it was called, keeps images as files, and starts the
# application itself. Files in $tools change its mind: v1, job, ignored-by-wait, mounts, volumes, name (of the
# project, as the Compose file has it), service (more of the service app), projects, owners and with-volumes
# (of others), digests and registry (of images), no-pull, password (of a registry). What the application knows, in $STATE/token, it says
# wherever Docker hands its words on.
log() { echo "$1 ${RELEASE_ID-} $(basename "$(readlink "$target/current")")" >>"$tools/log"; }
image() {
    case $1 in
    sha256:*) for i in "$tools"/images/*; do [ "$(id_of "$i")" != "$1" ] || { echo "$i"; return; }; done; echo "$tools/none";;
    *) printf '%s/images/%s' "$tools" "$(printf %s "$1" | tr / %)";;
    esac
}
id_of() { echo "sha256:$(sha256sum <"$1" | cut -d' ' -f1)"; }
# Its words: on both streams, for a while; as a JSON string, or the other one where it has none; the same
# within quotes of Go's, in which Docker and Compose put commands before they write JSON.
says() { [ ! -e "$STATE/token" ] || { cat "$STATE/token"; cat "$STATE/token" >&2; sleep 0.2; }; }
json() { "$PYTHON" -c 'import json, sys; print(json.dumps(sys.stdin.read().strip()))'; }
said() { if [ -e "$STATE/token" ]; then json <"$STATE/token"; else printf '"%s"' "$1"; fi; }
quoted() { if [ -e "$STATE/token" ]; then said | json; else printf '"\\"%s\\""' "$1"; fi; }
mkdir -p "$tools/images"
case "$*" in
'login --username '*)
    read -r given; echo "$given" >>"$tools/passwords"; [ "$given" = "$(cat "$tools/password")" ] || { echo 'unauthorized: incorrect username or password' >&2; exit 1; }
    echo " as $3 at $5" >"$DOCKER_CONFIG/login"; exit 0;;
'compose version --short')
    [ ! -e "$tools/v1" ] || { echo "docker: 'compose' is not a docker command." >&2; exit 1; }
    echo 2.29.1; exit 0;;
'version --format {{.Server.Version}}') echo 27.1.1; exit 0;;
'image tag '*) cp "$(image "$3")" "$(image "$4")" 2>/dev/null || [ -e "$(image "$4")" ]; exit;;
'image inspect --format {{.Id}} '*) [ -e "$(image "$5")" ] && id_of "$(image "$5")"; exit;;
'image inspect --format {{join .RepoDigests " "}} '*) cat "$tools/digests" 2>/dev/null || echo; exit;;
'image inspect ollama/ollama') exit 0;;
'image inspect '*) [ -e "$(image "$3")" ]; exit;;
'image pull -q '*) log "pull $4"; cp "$tools/registry" "$(image "$4")"; exit;;
'image ls --filter label=com.docker.compose.project=target-app --format {{.Repository}}:{{.Tag}}')
    for i in "$tools"/images/*; do basename "$i" | tr % /; done | grep -v ^deploy-app/; exit 0;;
'image ls --filter reference=deploy-app/target-app --format {{.Repository}}:{{.Tag}}')
    for i in "$tools"/images/*; do basename "$i" | tr % /; done | grep ^deploy-app/; exit 0;;
'image rm '*) rm "$(image "$3")"; exit;;
'image prune -f --filter label=com.docker.compose.project=target-app') exit 0;;
'ps -a --filter label=com.docker.compose.project --format '*)
    cat "$tools/projects" 2>/dev/null; [ ! -e "$tools/container" ] || cat "$tools/runs-in"; exit 0;;
'ps -aq --filter label=com.docker.compose.project='*' --filter label=com.docker.compose.oneoff=False') [ ! -e "$tools/container" ] || echo app-1; exit 0;;
'inspect --format {{.Config.Image}} {{.Image}} app-1') cat "$tools/runs"; exit 0;;
'volume ls --filter label=com.docker.compose.project --format '*) sed 's/^/volume /' "$tools/with-volumes" 2>/dev/null; exit 0;;
'volume ls --filter label=deploy-app.target --format '*) cat "$tools/owners" 2>/dev/null; exit 0;;
'volume create --label deploy-app.project='*)
    grep -q "^${4#*=} " "$tools/owners" 2>/dev/null || echo "${4#*=} ${6#*=}" >>"$tools/owners"; echo "$7"; exit 0;;
'volume inspect --format {{index .Labels "deploy-app.target"}} deploy-app.owner.'*)
    sed -n "s/^${5#deploy-app.owner.} //p" "$tools/owners"; exit 0;;
'ps -a --filter label=com.docker.compose.project='*' --filter label=com.docker.compose.oneoff=True --format == one-off {{.Names}}')
    [ ! -e "$tools/one-off" ] || echo '== one-off app-run-1'; exit 0;;
'ps --format {{.Label "com.docker.compose.project"}}|{{.Names}}|{{.Ports}}') cat "$tools/ports" 2>/dev/null; exit 0;;
'logs --tail 200 app-1') echo 'Traceback: no module named x'; says; exit 0;;
'inspect --format {{json .State}} app-1')
    printf '{"Status":"running","Error":%s,"Health":{"Status":"unhealthy","Log":[{"Output":%s}]}}\n' "$(quoted)" "$(said refused)"; exit 0;;
'ps -a --filter label=com.docker.compose.project='*' --format table {{.Names}}\t{{.Status}}\t{{.Ports}}')
    echo 'app-1   Up 2 seconds (unhealthy)'; says; exit 0;;
'info --format {{.DockerRootDir}}') cat "$tools/root" 2>/dev/null || echo /; exit 0;;
esac
[ "$1" = compose ] || { echo "what? $*" >&2; exit 9; }
shift; project=
if [ "$1" = -p ]; then project=$2; shift 2; fi
files=; while [ "$1" = -f ]; do files="$files $2"; shift 2; done
[ "$1" = --project-directory ] || { echo "what? $*" >&2; exit 9; }
# The project's folder is that of the first file; whoever calls is in the release's.
[ -d "$2" ] || exit 9
folder=$PWD; shift 2
[ -n "$project" ] || project=$(cat "$tools/name" 2>/dev/null || basename "$folder")
built=$project-app; from=$(sed -n 's/.*"image":"\([^"]*\)".*/\1/p' "$tools/service" 2>/dev/null)
[ -n "$files" ] || [ -e compose.yaml ] || { echo 'no configuration file provided: not found' >&2; exit 14; }
file=$(cat ${files:-compose.yaml} 2>/dev/null)
[ ! -e compose.override.yaml ] || file="$file+$(cat compose.override.yaml)"
[ "$1 $2" = '--ansi never' ] || { echo "what? $*" >&2; exit 9; }
shift 2
# What it was told by variables.
[ -z "${TAG+x}${NPM_TOKEN+x}" ] || echo "$1 TAG=${TAG-} NPM_TOKEN=${NPM_TOKEN-}" >>"$tools/variables"
case $1 in
pull) echo "docker: $*"; log "$*$(cat "$DOCKER_CONFIG/login" 2>/dev/null)"; [ ! -e "$tools/no-pull" ] || { echo 'manifest unknown' >&2; exit 18; }
    cp "$tools/registry" "$(image "$from")";;
config) env=$(sed -n 's/.*env_file: //p' compose.yaml 2>/dev/null)
    [ -z "$env" ] || [ -e "$env" ] || { echo "env file $folder/$env not found: stat $folder/$env: no such file or directory" >&2; exit 1; }
    printf '{"name":"%s","services":{"app":{%s,"labels":{"file":"%s"},"environment":{"TOKEN":%s},"volumes":%s},"ollama":{"image":"ollama/ollama","volumes":%s}}}\n' \
    "$project" "$(cat "$tools/service" 2>/dev/null || printf '"build":{"context":"%s"}' "$folder")" \
    "$file" "$(said)" "$(sed "s|RELEASE|$folder|" "$tools/mounts" 2>/dev/null || echo '[]')" "$(cat "$tools/volumes" 2>/dev/null || echo '[{"type":"volume","target":"/root/.ollama"}]')";;
build) echo "docker: $*"; says; log "$(echo "$*" | sed 's/ app$/ again/')"; [ -n "$from" ] || echo "$RELEASE_ID" >"$(image "$built")"
    [ ! -e fail-build ] || { echo 'no space left on device' >&2; exit 1; };;
up) echo "docker: $*"; says; image=${from:-$built}
    case "$(cat "$tools/service" 2>/dev/null) $*" in *always*--pull*) ;; *always*) cp "$tools/registry" "$(image "$image")";; esac
    log "up$(echo " $*" | grep -o ' --pull missing')$(echo " $*" | grep -o ' --force-recreate') of $(cat "$(image "$image")")"
    echo "$image $(id_of "$(image "$image")")" >"$tools/runs"; echo "$project $folder" >"$tools/runs-in"
    # As Compose: a container that runs, of the same image and configuration, is left as it is.
    case "$*" in *--force-recreate*) anew=1;; *) anew=;; esac
    what="$(cat "$(image "$image")") $file"
    if [ -n "$anew" ] || [ "$what" != "$(cat "$tools/container" 2>/dev/null)" ] || ! kill -0 "$(cat "$STATE/pid")" 2>/dev/null; then
        ./stop; ./start >/dev/null 2>&1 </dev/null
        # A container that is up can be stopped.
        n=0; while [ ! -s "$STATE/pid" ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
        printf '%s' "$what" >"$tools/container"
    fi
    [ ! -e "$tools/crashes" ] || { echo 'container app-1 exited (1)' >&2; exit 1; }
    [ ! -e "$tools/ignored-by-wait" ] || { echo 'container job exited (0)' >&2; exit 1; };;
down) log down; ./stop; rm -f "$tools/container";;
ps) case "$*" in
    *json*)
        if [ -e "$tools/crashes" ]; then
            printf '{"Service":"app","Name":"app-1","State":"restarting","Health":"","ExitCode":1}\n'
            n=$(($(cat "$tools/crashes") - 1)); if [ $n -gt 0 ]; then echo $n >"$tools/crashes"; else rm "$tools/crashes"; fi; exit 0
        fi
        health=healthy; [ ! -e unhealthy ] || health=unhealthy
        printf '{"Service":"app","Name":"app-1","Command":%s,"State":"running","Health":"%s","ExitCode":0}\n' "$(quoted python)" "$health"
        [ ! -e "$tools/one-off" ] || printf '{"Service":"app","Name":"app-run-1","State":"exited","Health":"","ExitCode":3}\n'
        [ ! -e "$tools/job" ] || printf '{"Service":"job","Name":"job-1","State":"exited","Health":"","ExitCode":%s}\n' "$(cat "$tools/job")";;
    *) echo "what? $*" >&2; exit 9;; esac;;
logs) echo 'app-1 | Traceback: no module named x'; [ ! -e "$STATE/token" ] || sed 's/^/app-1 | /' "$STATE/token";;
*) echo "what? $*" >&2; exit 9;;
esac
