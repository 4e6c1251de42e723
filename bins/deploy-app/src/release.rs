//! Releases on the host: their names, what a look at them tells, and the shell scripts that work on them.
//!
//! [`crate::layout`] says where they are. Beside them, in `TARGET/.deploy/`:
//!
//! ```text
//! holder                who deploys now: owner, token, since when, and the agent's process; its lock is the kernel's
//! agent/<digest>        the agent
//! manifests/<release>   path, kind, size and SHA-256 of everything in it
//! lists/<release>       its files and links, as `xargs -0` reads them
//! pieces/<release>      the pieces of its large files
//! stamps/<release>      a digest over inode, size, mode and change time of its files when they were last verified
//! proven/<release>      it was healthy when it was started last, and may be gone back to; holds how it was run
//! unproven/<release>    the same, since it was started anew and until it is healthy again
//! replaced/<release>    in-place: files of somebody else's that it took the place of
//! images/<release>      the images that it runs: name, id and digests
//! project               the Compose project of this target
//! logs/                 what start and stop commands printed
//! audit.jsonl           a line for each deployment
//! ```
//!
//! The host needs `sh`, `tar`, `find -print0`, `sha256sum`, `awk`, `xargs -0`, and the rest of a POSIX userland, of GNU,
//! BusyBox, toybox or the Rust coreutils; `gzip` and GNU's extensions are used where they are.

pub mod scripts;
mod state;
mod tried;

use crate::layout::{Layout, Paths};
use crate::sync::listing::{self, Folder};
use action::export::quote::posix as quote;

pub use filesync::release::{is_name, name, next_name};
pub use state::{Current, State};

/// What every host must have.
pub const TOOLS: [&str; 19] = [
    "awk",
    "cat",
    "chmod",
    "cp",
    "date",
    "find",
    "head",
    "ln",
    "mkdir",
    "mv",
    "readlink",
    "rm",
    "rmdir",
    "sha256sum",
    "sleep",
    "tail",
    "tar",
    "wc",
    "xargs",
];
/// What is used where it is.
pub const OPTIONAL: [&str; 2] = ["gzip", "docker"];

/// A shell function that prints the stamp of a release: `$n` is its name, `$T` the target folder, and
/// the working folder the one that it lies in. A file's change time cannot be set back by its owner. Where
/// it is not told to the nanosecond, or a file is missing, no two stamps are equal.
const STAMP: &str = r#"stamp() { { case $(stat -c %z . 2>/dev/null) in *.*) xargs -0 stat -c '%i %s %f %z' <"$T/.deploy/lists/$n" 2>/dev/null;; *) false;; esac ||
echo "none $$ $(date +%s%N)"; } | sha256sum; }"#;

/// The digest to look with as long as the wanted tree is not known.
pub const UNKNOWN: &str = "";

/// Looks at the host, and tries its tools; changes nothing. `digest` is that of the wanted tree: what the current release
/// holds is told only where it may matter, and not at all while that is [`UNKNOWN`].
#[must_use]
pub fn look(paths: &Paths, digest: &str) -> String {
    let folder = match paths.layout {
        Layout::Releases => Folder::Release,
        Layout::InPlace => Folder::Target,
    };
    let list = (digest != UNKNOWN).then(|| listing::script(folder, true));
    tried::SCRIPT.to_owned() + &look_at(paths, digest, list.as_deref())
}

/// The same as far as it takes no time: no file is read, see [`State::tells_all_of`].
#[must_use]
pub fn quick_look(paths: &Paths, digest: &str) -> String {
    look_at(paths, digest, None)
}

/// `list` prints what the working folder holds, where that is to be told.
fn look_at(paths: &Paths, digest: &str, list: Option<&str>) -> String {
    let tools = TOOLS
        .iter()
        .chain(&OPTIONAL)
        .copied()
        .collect::<Vec<_>>()
        .join(" ");
    format!(
        r#"export LC_ALL=C; T={target}; S="$T/{store}"; C="$T/{current}"
for t in {tools}; do command -v "$t" >/dev/null 2>&1 && echo "tool $t"; done
at=$T; while [ ! -d "$at" ]; do
  if [ -e "$at" ] || [ -L "$at" ]; then echo "blocked $at"; fi
  at=${{at%/*}}; [ -n "$at" ] || at=/
done
w={own}; [ -d "$w" ] || w=$at
# BusyBox does not ask the kernel, which knows of more than modes.
case $(readlink "/proc/$$/exe" 2>/dev/null) in *busybox*) ;; *) [ -w "$w" ] && [ -x "$w" ] || echo "closed $w" ;; esac
df -Pk "$at" 2>/dev/null | {{ read -r _; read -r _ _ _ free _ && echo "free $free"; }}
df -Pi "$at" 2>/dev/null | {{ read -r _; read -r _ _ _ free _ && echo "inodes $free"; }}
for r in "$S"/*; do [ -d "$r" ] && echo "release ${{r##*/}}"; done
for w in unproven proven; do
  for r in "$T/.deploy/$w"/*; do [ -e "$r" ] && printf '%s %s %s\n' "$w" "${{r##*/}}" "$(cat "$r")"; done
done
[ -s "$T/.deploy/placing" ] && echo "placing $(cat "$T/.deploy/placing")"
[ -s "$T/.deploy/project" ] && echo "project $(cat "$T/.deploy/project")"
for r in "$T/.deploy/images"/*; do [ -e "$r" ] && echo "images ${{r##*/}}"; done
[ -e "$C" ] || [ -L "$C" ] || exit 0
c=$(readlink "$C" || echo '(not a link)'); echo "current $c"; n=${{c#releases/}}; M=$T/.deploy/manifests/$n
[ "$c" != "$n" ] && [ -d "$S/$n" ] || exit 0
{STAMP}
D=$(sha256sum <"$M" 2>/dev/null); D=${{D%% *}}; W='{digest}'; echo "digest $D"
if [ -n "$W" ] && [ "$D" != "$W" ]; then echo '== manifest'; cat "$M" 2>/dev/null; exit 0; fi
cd {live} || exit 0; before=$(stamp)
if [ "$before" = "$(cat "$T/.deploy/stamps/$n" 2>/dev/null)" ]; then echo '== verified'; exit 0; fi
{list}exit 0"#,
        list = list.map_or_else(String::new, |list| {
            format!("echo '== listing'; echo \"$before\"\n{list}")
        }),
        target = quote(&paths.target),
        store = paths.store(),
        current = paths.current(),
        live = match paths.layout {
            Layout::Releases => "\"$S/$n\"",
            Layout::InPlace => "\"$T\"",
        },
        own = match paths.layout {
            Layout::Releases => "$T",
            // The application's files may lie in folders below one that is somebody else's.
            Layout::InPlace => "$T/.deploy",
        },
    )
}
