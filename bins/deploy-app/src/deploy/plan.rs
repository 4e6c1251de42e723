//! What a run is going to do, as text and as JSON.

use bundle::names::bytes;
use serde_json::{Value, json};

/// Everything that is known before anything is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Where to.
    pub host: String,
    /// How it was reached and why so, where there was a choice.
    pub way: Option<String>,
    /// The folder there.
    pub target: String,
    /// The release that runs now.
    pub current: Option<String>,
    /// The release that would be made; none when the current one is the wanted one.
    pub release: Option<String>,
    /// Files that come.
    pub added: Vec<Entry>,
    /// Files that change.
    pub changed: Vec<Entry>,
    /// Files that go.
    pub removed: Vec<Entry>,
    /// Bytes of content to send, before compression.
    pub bytes: u64,
    /// Other deeds, in order.
    pub deeds: Vec<String>,
    /// IAM actions that are used.
    pub permissions: Vec<String>,
    /// What could not be looked at, and why.
    pub unknown: Option<String>,
}

/// A path with its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub path: String,
    /// Bytes of the new file; of the old one where it goes.
    pub size: u64,
}

/// How many paths of a kind are listed in the text; the JSON has all.
const SHOWN: usize = 50;

impl Plan {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("plan for {} in {}\n", self.host, self.target);
        if let Some(way) = &self.way {
            text.push_str(&format!("  reached {way}\n"));
        }
        if let Some(unknown) = &self.unknown {
            text.push_str(&format!("  {unknown}\n"));
        }
        for deed in self.deeds.iter().filter(|_| self.unknown.is_some()) {
            text.push_str(&format!("  {deed}\n"));
        }
        if self.unknown.is_some() {
            text.push_str(&self.permissions_line());
            return text;
        }
        text.push_str(&format!(
            "  current release: {}\n",
            self.current.as_deref().unwrap_or("none")
        ));
        match &self.release {
            Some(release) => text.push_str(&format!(
                "  new release: {release}, {} added, {} changed, {} removed, {} B to send\n",
                self.added.len(),
                self.changed.len(),
                self.removed.len(),
                self.bytes
            )),
            None => text.push_str("  files: nothing changed\n"),
        }
        for (mark, paths) in [
            ('+', &self.added),
            ('~', &self.changed),
            ('-', &self.removed),
        ] {
            for Entry { path, size } in paths.iter().take(SHOWN) {
                let path = bytes::shown(path);
                text.push_str(&format!("    {mark} {path} ({size} B)\n"));
            }
            if paths.len() > SHOWN {
                text.push_str(&format!("    {mark} and {} more\n", paths.len() - SHOWN));
            }
        }
        for deed in &self.deeds {
            text.push_str(&format!("  {deed}\n"));
        }
        text.push_str(&self.permissions_line());
        if self.release.is_none() && self.deeds.is_empty() {
            text.push_str("  nothing to do\n");
        }
        text
    }

    fn permissions_line(&self) -> String {
        if self.permissions.is_empty() {
            return String::new();
        }
        format!("  permissions: {}\n", self.permissions.join(", "))
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let list = |entries: &[Entry]| -> Vec<Value> {
            let one =
                |Entry { path, size }: &Entry| json!({"path": bytes::shown(path), "size": size});
            entries.iter().map(one).collect()
        };
        json!({
            "host": self.host,
            "way": self.way,
            "target": self.target,
            "current": self.current,
            "release": self.release,
            "changed": self.release.is_some() || !self.deeds.is_empty(),
            "files": { "added": list(&self.added), "changed": list(&self.changed), "removed": list(&self.removed) },
            "bytes": self.bytes,
            "deeds": self.deeds,
            "permissions": self.permissions,
            "unknown": self.unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Plan};

    #[test]
    fn a_plan_reads_well() {
        let entry = |path| Entry { path, size: 3 };
        let plan = Plan {
            host: "i-1 (10.0.0.7:22)".to_owned(),
            way: Some("over Session Manager (eic: no endpoint)".to_owned()),
            target: "/srv/app".to_owned(),
            current: Some("20261123094308-0123456".to_owned()),
            release: Some("20261123094309-0123457".to_owned()),
            added: vec![entry("a".to_owned())],
            changed: vec![entry("b".to_owned())],
            removed: (0..51).map(|n| entry(format!("c{n:02}"))).collect(),
            bytes: 7,
            deeds: vec!["start: ./start".to_owned()],
            permissions: vec!["ec2:DescribeInstances".to_owned()],
            unknown: None,
        };
        let text = plan.text();
        assert!(text.starts_with(
            "plan for i-1 (10.0.0.7:22) in /srv/app\n  reached over Session Manager (eic: no endpoint)\n  current release: 20261123094308-0123456\n  new release: \
             20261123094309-0123457, 1 added, 1 changed, 51 removed, 7 B to send\n    + a (3 B)\n    ~ b (3 B)\n    - c00 (3 B)\n"
        ), "{text}");
        assert!(
            text.ends_with("    - c49 (3 B)\n    - and 1 more\n  start: ./start\n  permissions: ec2:DescribeInstances\n"),
            "{text}"
        );
        assert_eq!(
            plan.json()["files"]["removed"].as_array().map(Vec::len),
            Some(51)
        );
        let nothing = Plan {
            release: None,
            deeds: Vec::new(),
            added: Vec::new(),
            changed: Vec::new(),
            removed: Vec::new(),
            permissions: Vec::new(),
            ..plan
        };
        assert!(
            nothing
                .text()
                .ends_with("files: nothing changed\n  nothing to do\n")
        );
        assert_eq!(nothing.json()["changed"], false);
    }
}
