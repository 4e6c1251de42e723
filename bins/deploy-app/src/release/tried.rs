//! What a look at the host tries out, because tools of one name differ: whatever would fail in the middle of a
//! deployment is known before it begins.

/// Prints `cannot TOOL` for each tool that does not do what is asked of it later. It leaves nothing behind, and tries
/// nothing where there is no room for a few empty files.
pub(super) const SCRIPT: &str = r#"(exec 2>/dev/null; umask 077; t=${TMPDIR:-/tmp}/deploy-app.$$; mkdir "$t" || exit; trap 'rm -rf "$t"' EXIT
cd "$t" && mkdir from to held next next/held next/free && : >from/file && : >held/file && : >next/held/file && ln from/file from/same && ln -s file from/link && ln -s from current && ln -s to next/current || exit
mv -f next/current . && [ "$(readlink current)" = to ] && mv next/free . && [ -d free ] && ! mv next/held . && [ -e next/held/file ] || echo 'cannot mv'
tar -cf - -- ./from | tar -xmpo -C to -f - && [ -f to/from/same ] && [ "$(readlink to/from/link)" = file ] || echo 'cannot tar'
[ "$(find . -path ./next -prune -o -type f -print0 | xargs -0 -n 2000 -P 1 sh -c 'echo $#' sh)" -ge 3 ] || echo 'cannot find'
case $(sha256sum from/file) in e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\ [\ *]from/file) ;; *) echo 'cannot sha256sum' ;; esac
[ "$(echo 'one two' | awk '{ lines = lines $2; fflush() } END { printf "%s", lines; exit failed }')" = two ] || echo 'cannot awk')
"#;

/// What the tool of a line that [`SCRIPT`] prints does not do.
pub(super) fn lacking(tool: &str) -> Option<&'static str> {
    Some(match tool {
        "mv" => {
            "its `mv` does not put a link in the place of another in one rename, or a folder in that of one with files"
        }
        "tar" => "its `tar` does not unpack what it packed, links included",
        "find" => {
            "its `find` and `xargs` do not hand on names that end in a null byte (-print0, -0)"
        }
        "sha256sum" => "its `sha256sum` does not print the SHA-256 of a file as GNU's does",
        "awk" => "its `awk` does not run the program that an awk of POSIX with `fflush` runs",
        _ => return None,
    })
}
