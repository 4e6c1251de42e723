//! The images of a project: each release writes down which it runs, and keeps them under names of its own, so that going
//! back starts those and not what a moving tag leads to by then.
//!
//! `.deploy/images/<release>` has a line for each: its name, its id, and its digests in registries.

use action::export::quote::posix as quote;
use filesync::Paths;

/// Whose images a release writes down.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// These, by name, as far as they are there: what was just built, or pulled before.
    Names(&'a [&'a str]),
    /// Those of the project's containers.
    Containers,
}

/// Writes down which images a release runs, and keeps them: what has a name survives `docker image prune`.
pub(crate) fn keep(paths: &Paths, project: &str, release: &str, of: Of<'_>) -> String {
    let list = match of {
        Of::Names(names) => format!(
            r#"for i in {}; do id=$(docker image inspect --format '{{{{.Id}}}}' "$i" 2>/dev/null) && echo "$i $id"; done"#,
            words(names)
        ),
        Of::Containers => format!(
            r#"c=$(docker ps -aq --filter label=com.docker.compose.project={project} --filter label=com.docker.compose.oneoff=False)
[ -z "$c" ] || docker inspect --format '{{{{.Config.Image}}}} {{{{.Image}}}}' $c"#
        ),
    };
    format!(
        r#"cd {target}/.deploy && mkdir -p images || exit 1
{{ {list}
}} | sort -u | while read -r name id; do
  docker image tag "$id" "{kept}:{release}-$(printf %.12s "${{id#sha256:}}")" </dev/null || :
  echo "$name $id $(docker image inspect --format '{{{{join .RepoDigests " "}}}}' "$id" 2>/dev/null </dev/null)"
done >images/{release}.new && mv images/{release}.new images/{release}"#,
        target = quote(&paths.target),
        kept = kept(project),
    )
}

/// Gives the images that a release ran their names back; one that is gone is pulled by its digest. Prints `pulled NAME`
/// for those, `gone NAME` for what cannot be had any more, and `unknown` where it was not written down what it ran: then
/// images that were built, which `built` names, were kept by older versions of this program.
pub(crate) fn recall(paths: &Paths, release: &str, built: &[&str]) -> String {
    format!(
        r#"cd {target}/.deploy && mkdir -p images || exit 1; f=images/{release}
if [ ! -s "$f" ]; then
  echo unknown; f=$f.old; for i in {built}; do
    r=${{i%@*}}; case ${{r##*/}} in *:*) r=${{r%:*}};; esac; echo "$i $r:deploy-{release}"; done >"$f"
fi
while read -r name id digests; do
  [ "$(docker image inspect --format '{{{{.Id}}}}' "$name" 2>/dev/null </dev/null)" != "$id" ] || continue
  if ! docker image inspect "$id" >/dev/null 2>&1 </dev/null; then
    id=; for d in $digests; do ! docker image pull -q "$d" >/dev/null </dev/null || {{ id=$d; break; }}; done
    [ -n "$id" ] || {{ echo "gone $name"; continue; }}
    echo "pulled $name"
  fi
  case $name in *@*) ;; *) docker image tag "$id" "$name" </dev/null || echo "gone $name";; esac
done <"$f"; rm -f images/{release}.old"#,
        target = quote(&paths.target),
        built = words(built),
    )
}

/// Prints those of the images that are not there.
pub(crate) fn absent(names: &[&str]) -> String {
    format!(
        r#"for i in {}; do docker image inspect "$i" >/dev/null 2>&1 </dev/null || printf '%s\n' "$i"; done"#,
        words(names)
    )
}

/// Prints `gone NAME` for every image of a release that is neither there nor to be pulled; changes nothing.
pub(crate) fn gone(paths: &Paths, release: &str) -> String {
    format!(
        r#"cd {}/.deploy 2>/dev/null && [ -s images/{release} ] || exit 0; while read -r name id digests; do
  docker image inspect "$id" >/dev/null 2>&1 </dev/null || [ -n "$digests" ] || echo "gone $name"; done <images/{release}"#,
        quote(&paths.target),
    )
}

/// Removes what these releases kept. Images of anybody else are not looked at.
pub(crate) fn remove(project: &str, releases: &[String]) -> String {
    sweep(project, releases, "remove", ":")
}

/// Removes what releases kept that are not among these, and what the project's builds left without a name.
pub(crate) fn prune(project: &str, releases: &[String]) -> String {
    format!(
        "{}\ndocker image prune -f --filter label=com.docker.compose.project={project} >/dev/null",
        sweep(project, releases, ":", "remove")
    )
}

/// Does one thing with what these releases kept, and another with what others did. Older versions of this program had
/// the release for the tag of the image's own name.
fn sweep(project: &str, releases: &[String], these: &str, others: &str) -> String {
    format!(
        r#"remove() {{ docker image rm "$i" >/dev/null 2>&1 </dev/null; }}; all={all}
for f in label=com.docker.compose.project={project} reference={kept}; do
docker image ls --filter "$f" --format '{{{{.Repository}}}}:{{{{.Tag}}}}'; done | sort -u | while read -r i; do
case $i in {kept}:*) r=${{i##*:}}; r=${{r%-*}};; *:deploy-*) r=${{i##*:deploy-}};; *) continue;; esac
case $all in *" $r "*) {these};; *) {others};; esac; done; :"#,
        all = quote(&format!(" {} ", releases.join(" "))),
        kept = kept(project),
    )
}

/// The name under which a project's images are kept; their tags are releases with the beginning of an id.
fn kept(project: &str) -> String {
    format!("deploy-app/{project}")
}

fn words(names: &[&str]) -> String {
    let words: Vec<String> = names.iter().map(|name| quote(name)).collect();
    words.join(" ")
}
