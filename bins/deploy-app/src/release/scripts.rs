//! The scripts that change releases. Every one may be cut off at any point and run again.

use crate::layout::{Layout, Paths};
use crate::release::STAMP;
use crate::sync::listing::{self, Folder};
use crate::sync::{SEEDS, shared_link};
use action::export::quote::posix as quote;

/// Makes the folders that everything else needs.
#[must_use]
pub fn make_folders(paths: &Paths) -> String {
    format!(
        "umask 022; cd {} && mkdir -p {} .deploy/manifests .deploy/lists .deploy/pieces .deploy/stamps .deploy/proven .deploy/logs || exit 1",
        quote(&paths.target),
        paths.store()
    )
}

/// A script in the target folder.
#[must_use]
pub fn inside(paths: &Paths, script: &str) -> String {
    format!("cd {} || exit 1\n{script}", quote(&paths.target))
}

/// Unpacks the stream on standard input as a partial release, puts together the files that were sent in
/// pieces, and prints the stamp of what is there now, and what that is. `again` adds to what is there.
#[must_use]
pub fn unpack(paths: &Paths, release: &str, gzip: bool, again: bool, has_long: bool) -> String {
    let begin = if again {
        String::new()
    } else {
        // Under our lock, whatever else is partial belongs to a deployment that died. What failed before was
        // told by its logs until now.
        format!(
            "rm -rf {store}/.*.partial {store}/.*.partial.pieces; ({logs}) || :; mkdir \"$p\"",
            store = paths.store(),
            logs = remove_logs(paths)
        )
    };
    format!(
        r#"set -e; umask 022; cd {target}; T=$(pwd); n={release}; p={partial}; {begin}
# As much at once as a pipe holds, where tar can be told.
case $(tar --version 2>/dev/null) in *GNU*) b='-b 128';; *) b=;; esac
tar -x{z}mpo $b -f -
# What cannot be put together, of a file that is gone say, is missing from the list, and sent whole.
if [ -e "$p.pieces/assemble" ]; then sh "$p.pieces/assemble" || :; rm -rf "$p.pieces"; fi
# Waited for at the end of the deployment; begun while the processors are busy with hashing.
sync </dev/null >/dev/null 2>&1 &
{STAMP}
cd "$p"; stamp
{list}"#,
        list = listing::script(Folder::Release, has_long),
        target = quote(&paths.target),
        partial = quote(&paths.partial(release)),
        z = if gzip { "z" } else { "" },
    )
}

/// In-place: prints the stamp of the target folder, and what it holds. Somebody else's files lie there too, and not all
/// may be readable: one of ours that could not be read is missing from what is printed.
#[must_use]
pub fn list_live(paths: &Paths, release: &str, has_long: bool) -> String {
    format!(
        "export LC_ALL=C; T={}; n={release}; cd {} || exit 1\n{STAMP}\nstamp\n{}exit 0",
        quote(&paths.target),
        quote(&paths.live(release)),
        listing::script(Folder::Target, has_long),
    )
}

/// Prints what a release's own folder holds, as far as it can be read: the application may have left there what cannot.
#[must_use]
pub fn list_stored(paths: &Paths, release: &str) -> String {
    format!(
        "export LC_ALL=C; cd {} || exit 1\n{}exit 0",
        quote(&format!("{}/{}", paths.target, paths.stored(release))),
        listing::script(Folder::Release, true),
    )
}

/// Prints one of the files that are kept beside a release; nothing when there is none.
#[must_use]
pub fn read_own(paths: &Paths, folder: &str, release: &str) -> String {
    format!(
        "cat {}/.deploy/{folder}/{release} 2>/dev/null || :",
        quote(&paths.target)
    )
}

/// Remembers that the release was verified under this stamp.
#[must_use]
pub fn remember_stamp(paths: &Paths, release: &str, stamp: &str) -> String {
    format!(
        "cd {}/.deploy && mkdir -p stamps && printf '%s\\n' {} >stamps/{release}",
        quote(&paths.target),
        quote(stamp)
    )
}

/// A shell function: whether something is at this path of the target folder, `$R`, that no link leads to.
const OWN: &str = r#"R=$(pwd -P); own() { [ -e "$1" ] && [ ! -L "$1" ] && [ "$(cd "${1%/*}" && pwd -P)" = "$R/${1%/*}" ]; }"#;

/// Tells what is there of the shared paths: `there PATH`, `carried PATH` for what lies in the current release and is going
/// to be carried over, and `closed PATH` where that cannot be done.
#[must_use]
pub fn look_at_shared(paths: &Paths, shared: &[String], current: Option<&str>) -> String {
    let mut script = format!(
        "cd {} 2>/dev/null || exit 0\n{OWN}\ndisk() {{ stat -L -c %d \"$1\" 2>/dev/null || stat -c %d . 2>/dev/null; }}\n",
        quote(&paths.target)
    );
    for path in shared {
        let word = quote(path);
        let carried = current.map_or_else(String::new, |current| {
            let own = quote(&format!("{}/{path}", paths.stored(current)));
            format!("elif own {own}; then if {{ [ ! -d {own} ] || [ -w {own} ]; }} && [ \"$(disk {own})\" = \"$(disk shared)\" ]; then printf 'carried %s\\n' {word}; else printf 'closed %s\\n' {word}; fi; ")
        });
        script.push_str(&format!(
            "if [ -e shared/{word} ] || [ -L shared/{word} ]; then printf 'there %s\\n' {word}; {carried}fi; "
        ));
    }
    script
}

/// Gives a verified release its name, and sees to what its shared links lead to: where nothing is there yet, what the
/// current release has at the path is carried over, or what the application brings is copied, or it is a new folder.
/// What runs goes on with what is carried over: that is moved as a whole, and a link leads there from the release.
/// What older releases have at the path is moved aside, and is nobody's to remove but the user's; they are linked too.
#[must_use]
pub fn commit(paths: &Paths, release: &str, shared: &[String], current: Option<&str>) -> String {
    let partial = quote(&paths.partial(release));
    let mut script = format!(
        "set -e; umask 022; cd {}; p={partial}; c={}\n",
        quote(&paths.target),
        quote(&paths.stored(current.unwrap_or("-")))
    );
    if !shared.is_empty() {
        script.push_str(&format!(
            r#"{OWN}
share() {{
  s=shared/$1; mkdir -p "${{s%/*}}"
  if [ ! -e "$s" ] && [ ! -L "$s" ]; then
    if own "$c/$1"; then mv "$c/$1" "$s"; ln -s "$2" "$c/$1"; echo "carried $1"
    elif [ -e "$p/{SEEDS}$1" ]; then cp -RPp "$p/{SEEDS}$1" "$s"
    else mkdir "$s"; fi
  fi
  for r in {store}/*; do
    if [ "$r" != "$c" ] && own "$r/$1"; then
      k=kept/${{r##*/}}/$1; if mkdir -p "${{k%/*}}" && mv "$r/$1" "$k" && ln -s "$2" "$r/$1"; then echo "kept $k"; fi
    fi
  done
}}
"#,
            store = paths.store(),
        ));
    }
    for path in shared {
        script.push_str(&format!(
            "share {} {}\n",
            quote(path),
            quote(&shared_link(path))
        ));
    }
    script.push_str(&format!(
        "[ ! -e {stored} ] || {{ echo 'release {release} is there already' >&2; exit 1; }}; mv {partial} {stored}",
        stored = paths.stored(release)
    ));
    script
}

/// Moves aside what was written into releases that are about to be removed and may be data: at shared paths, and anywhere
/// in those of `unknown`, deployed when it was not yet asked what containers write. Prints `kept PATH` for each.
#[must_use]
pub fn keep_written(
    paths: &Paths,
    releases: &[String],
    shared: &[String],
    unknown: &[String],
) -> String {
    let mut script = format!(
        r#"set -e; cd {}
{OWN}
keep() {{
  own "$2" && [ -n "$(find "$2" -type f -newer ".deploy/manifests/$1" 2>/dev/null | head -n 1)" ] || return 0
  k=kept/${{2#*/}}; [ ! -e "$k" ] || k=$k.$$; mkdir -p "${{k%/*}}"; mv "$2" "$k"; echo "kept $k"
}}
"#,
        quote(&paths.target)
    );
    for release in releases {
        let stored = paths.stored(release);
        if unknown.contains(release) {
            script.push_str(&format!("keep {release} {stored}\n"));
        }
        for path in shared {
            script.push_str(&format!(
                "keep {release} {}\n",
                quote(&format!("{stored}/{path}"))
            ));
        }
    }
    script
}

/// Makes `current` lead to the release, in one rename: at any moment it is the old one or the new one. `mv` into a
/// folder replaces a link there on every host; with `-T` toybox and the Rust coreutils take the link for the folder that
/// it leads to.
/// `current` never leads to a folder that is gone. With `starts`
/// the release counts as proven only once it is so again: whoever is stopped before has proven nothing.
#[must_use]
pub fn switch(paths: &Paths, release: &str, starts: bool) -> String {
    let doubt = if starts {
        format!(
            "mkdir -p .deploy/unproven; [ ! -e .deploy/proven/{release} ] || mv .deploy/proven/{release} .deploy/unproven/{release}; "
        )
    } else {
        String::new()
    };
    format!(
        "set -e; cd {target}; [ -d {stored} ] || {{ echo 'the folder of release {release} is gone' >&2; exit 1; }}; {doubt}\
         rm -rf .deploy/next; mkdir .deploy/next; ln -s releases/{release} .deploy/next/current; mv -f .deploy/next/current {folder}; \
         rm -rf .deploy/next .deploy/placing",
        target = quote(&paths.target),
        stored = paths.stored(release),
        folder = match paths.layout {
            Layout::Releases => ".",
            Layout::InPlace => ".deploy",
        },
    )
}

/// Removes `current`, where there was none before.
#[must_use]
pub fn unswitch(paths: &Paths) -> String {
    format!(
        "rm -f {}",
        quote(&format!("{}/{}", paths.target, paths.current()))
    )
}

/// Removes releases, whole or partial, with what is kept beside them, all but their logs: those tell what
/// was wrong with one that failed. Never one that `current` leads to.
#[must_use]
pub fn remove(paths: &Paths, releases: &[String]) -> String {
    let mut script = format!(
        "cd {} || exit 0; c=$(readlink {} || :); status=0; ",
        quote(&paths.target),
        paths.current()
    );
    for release in releases {
        script.push_str(&format!(
            "if [ \"$c\" != releases/{release} ]; then rm -rf {stored} {partial} {partial}.pieces .deploy/*/{release} || status=1; else status=1; fi; ",
            stored = paths.stored(release),
            partial = quote(&paths.partial(release)),
        ));
    }
    script.push_str("exit $status");
    script
}

/// Removes the logs of releases that are not there any more.
fn remove_logs(paths: &Paths) -> String {
    format!(
        "cd {}/.deploy/logs 2>/dev/null || exit 0; for l in *; do r=${{l%-*}}; [ -d ../../{store}/\"$r\" ] || rm -f \"$l\"; done",
        quote(&paths.target),
        store = paths.store()
    )
}

/// The command by which a person removes a release.
#[must_use]
pub fn remove_by_hand(paths: &Paths, release: &str) -> String {
    format!(
        "on the host: rm -rf {} {}",
        quote(&format!("{}/{}", paths.target, paths.stored(release))),
        quote(&format!("{}/{}", paths.target, paths.partial(release)))
    )
}

/// Writes down that the release was healthy, and how it was run, as [`crate::manner::Manner::to_text`] has it.
#[must_use]
pub fn prove(paths: &Paths, release: &str, manner: &str) -> String {
    format!(
        "cd {0}/.deploy && mkdir -p proven && (umask 077; printf '%s\\n' {manner} >proven/{release}) && rm -f unproven/{release}",
        quote(&paths.target),
        manner = quote(manner)
    )
}

/// Appends the line on standard input to the record of deployments.
#[must_use]
pub fn audit(paths: &Paths) -> String {
    format!(
        "cd {} && umask 022 && mkdir -p .deploy && cat >>.deploy/audit.jsonl",
        quote(&paths.target)
    )
}

/// In-place: writes down that files of this release are about to be placed, and keeps what they replace
/// that nobody of ours put there. The paths come on standard input, as [`crate::sync::upload::null_separated`]
/// writes them.
#[must_use]
pub fn keep_replaced(paths: &Paths, release: &str) -> String {
    format!(
        r#"set -e; umask 022; cd {target}; echo {release} >.deploy/placing; mkdir -p .deploy/replaced
R=.deploy/replaced/{release}; export R; xargs -0 sh -c 'for f do
{{ [ -f "$f" ] || [ -L "$f" ]; }} && [ ! -e "$R/$f" ] || continue
mkdir -p "$R/${{f%/*}}" && cp -pP "$f" "$R/$f" || exit 255; done' sh"#,
        target = quote(&paths.target),
    )
}

/// In-place: removes the paths on standard input from the target folder. A folder where a file of ours would lie is
/// somebody else's, and so is what is no folder where one of ours would be.
#[must_use]
pub fn remove_files(paths: &Paths) -> String {
    format!(
        r#"set -e; cd {}; xargs -0 sh -c 'rm -f "$@" 2>/dev/null && exit 0
for f do
  if [ -d "$f" ] && [ ! -L "$f" ]; then continue; fi
  d=${{f%/*}}; while [ "$d" != . ]; do if [ -e "$d" ] && [ ! -d "$d" ]; then continue 2; fi; d=${{d%/*}}; done
  rm -f "$f" || exit 1
done' sh"#,
        quote(&paths.target)
    )
}

/// In-place: removes the folders on standard input that have become empty, the deepest first.
#[must_use]
pub fn remove_folders(paths: &Paths) -> String {
    format!(
        "cd {} && xargs -0 rmdir 2>/dev/null; :",
        quote(&paths.target)
    )
}

/// In-place: copies the paths on standard input from a release's own folder to the target folder. Copies,
/// because an application may write into its files, and the release must stay what it was.
#[must_use]
pub fn place(paths: &Paths, release: &str) -> String {
    format!(
        "set -e; umask 022; cd {}; export T=$(pwd); cd {}; xargs -0 sh -c 'tar -cf - -- \"$@\" | tar -xpo -C \"$T\" -f -' sh",
        quote(&paths.target),
        paths.stored(release)
    )
}

/// In-place: prints which of the paths on standard input cannot be placed: one that ends in a slash where something else
/// than a folder is, and another one where a folder is.
#[must_use]
pub fn find_in_the_way(paths: &Paths) -> String {
    format!(
        r#"cd {} && xargs -0 sh -c 'for f do case $f in
*/) f=${{f%/}}; if [ -e "$f" ] || [ -L "$f" ]; then [ -d "$f" ] || printf "%s\0" "$f"; fi ;;
*) if [ -d "$f" ] && [ ! -L "$f" ]; then printf "%s\0" "$f/"; fi ;; esac; done' sh"#,
        quote(&paths.target)
    )
}

/// In-place: brings back what a release took the place of.
#[must_use]
pub fn restore_replaced(paths: &Paths, release: &str) -> String {
    format!(
        "set -e; cd {}; export T=$(pwd); [ -d .deploy/replaced/{release} ] || exit 0; cd .deploy/replaced/{release}; tar -cf - . | tar -xpo -C \"$T\" -f -",
        quote(&paths.target)
    )
}

/// Whether the layout moves files when it switches.
#[must_use]
pub fn moves_files(paths: &Paths) -> bool {
    paths.layout == Layout::InPlace
}
