//! What Describe calls have in common: filters with wildcards, and pages.

use std::collections::BTreeMap;

use super::State;
use crate::fake_aws::{Reply, Request};

/// EC2's filters of one request.
pub(super) struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    pub(super) fn of(request: &Request) -> Self {
        Self(request.filters())
    }

    /// Whether a resource with `tags` passes; `values` says what it has for a filter, and nothing
    /// for a filter that the fake does not know.
    pub(super) fn accept(
        &self,
        tags: &[(String, String)],
        values: impl Fn(&str) -> Option<Vec<String>>,
    ) -> Result<bool, Reply> {
        for (name, wanted) in &self.0 {
            let has = tagged(name, tags).or_else(|| values(name)).ok_or_else(|| {
                let message = format!("the fake EC2 does not know the filter {name:?}; teach it");
                Reply::error(501, "NotScripted", message)
            })?;
            if !accepts(wanted, &has) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl State {
    /// The items of the page that is asked for, and the token of the next one.
    pub(super) fn page<T>(&self, request: &Request, items: Vec<T>) -> (Vec<T>, Option<String>) {
        let asked = request.param("MaxResults").and_then(|n| n.parse().ok());
        let limits = asked.into_iter().chain(self.rules.page_size);
        let limit = limits.min().unwrap_or(usize::MAX);
        let start = request
            .param("NextToken")
            .and_then(|token| token.parse().ok());
        let start: usize = start.unwrap_or(0);
        let end = start.saturating_add(limit);
        let next = (end < items.len()).then(|| end.to_string());
        (items.into_iter().skip(start).take(limit).collect(), next)
    }
}

/// The values that a `tag:KEY` or `tag-key` filter looks at.
fn tagged(filter: &str, tags: &[(String, String)]) -> Option<Vec<String>> {
    if filter == "tag-key" {
        return Some(tags.iter().map(|(key, _)| key.clone()).collect());
    }
    let key = filter.strip_prefix("tag:")?;
    let values = tags.iter().filter(|(found, _)| found == key);
    Some(values.map(|(_, value)| value.clone()).collect())
}

/// Whether one of `wanted`, with EC2's wildcards, is one of `has`.
fn accepts(wanted: &[String], has: &[String]) -> bool {
    wanted.iter().any(|pattern| {
        has.iter()
            .any(|value| like(pattern.as_bytes(), value.as_bytes()))
    })
}

/// `*` stands for any text, `?` for one character, and `\` takes what follows literally.
fn like(pattern: &[u8], value: &[u8]) -> bool {
    if let [b'\\', literal, rest @ ..] = pattern {
        return value.first() == Some(literal) && like(rest, &value[1..]);
    }
    match (pattern.split_first(), value.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            like(rest, value)
                || value
                    .split_first()
                    .is_some_and(|(_, tail)| like(pattern, tail))
        }
        (Some((b'?', rest)), Some((_, tail))) => like(rest, tail),
        (Some((one, rest)), Some((other, tail))) => one == other && like(rest, tail),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn filters_know_wildcards() {
        assert!(like(b"web-*", b"web-42") && like(b"*", b"") && like(b"w?b", b"web"));
        assert!(like(br"w\*b", b"w*b") && !like(br"w\*b", b"web") && like(br"a\\b", br"a\b"));
        assert!(!like(b"web-*", b"api-42") && !like(b"w?b", b"wb") && !like(b"web", b"web-1"));
    }
}
