//! Patterns of names, as known_hosts files and certificates have them.

/// Whether the name matches the pattern, in which `*` and `?` stand for others; case does not count.
pub(crate) fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob(rest, name) || (!name.is_empty() && glob(pattern, &name[1..]))
        }
        (Some((b'?', rest)), Some((_, name))) => glob(rest, name),
        (Some((a, rest)), Some((b, name))) => a.eq_ignore_ascii_case(b) && glob(rest, name),
        _ => false,
    }
}
