//! The builds of a batch: a list, a graph or a matrix, in an order in which each comes after those it depends on.

use contract::yaml::Node;

use crate::yaml_fields::{entries, text, texts};

/// `batch` of a buildspec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Whether the first failure ends the batch.
    pub(crate) fast_fail: bool,
    /// The builds, each behind those that it depends on.
    pub(crate) builds: Vec<BatchBuild>,
}

/// One build of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BatchBuild {
    pub(crate) identifier: String,
    /// Its own buildspec, when it is not the batch's.
    pub(crate) buildspec: Option<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) depends_on: Vec<String>,
    pub(crate) ignore_failure: bool,
}

impl Batch {
    /// Reads it.
    pub(crate) fn read(node: &Node) -> Result<Self, String> {
        let listed = |key: &str| node.get(key).and_then(Node::as_sequence);
        let builds = match (
            listed("build-graph"),
            listed("build-list"),
            node.get("build-matrix"),
        ) {
            (Some(graph), _, _) => ordered(graph.iter().map(one).collect::<Result<_, _>>()?)?,
            (None, Some(list), _) => list.iter().map(one).collect::<Result<_, _>>()?,
            (None, None, Some(matrix)) => combined(matrix),
            (None, None, None) => {
                return Err("batch has none of build-list, build-graph and build-matrix".to_owned());
            }
        };
        Ok(Self {
            fast_fail: node
                .get("fast-fail")
                .and_then(Node::as_bool)
                .unwrap_or(true),
            builds,
        })
    }
}

fn one(node: &Node) -> Result<BatchBuild, String> {
    Ok(BatchBuild {
        identifier: text(node, "identifier")
            .ok_or("a build of the batch has no identifier")?
            .to_owned(),
        buildspec: text(node, "buildspec").map(str::to_owned),
        variables: node
            .get("env")
            .map(|env| pairs(entries(env, "variables")))
            .unwrap_or_default(),
        depends_on: texts(node, "depend-on"),
        ignore_failure: node
            .get("ignore-failure")
            .and_then(Node::as_bool)
            .unwrap_or(false),
    })
}

fn pairs(entries: &[(Node, Node)]) -> Vec<(String, String)> {
    entries
        .iter()
        .filter_map(|(name, value)| Some((name.as_str()?.to_owned(), value.as_str()?.to_owned())))
        .collect()
}

/// Each build behind those that it depends on, otherwise in the order of the file.
fn ordered(mut rest: Vec<BatchBuild>) -> Result<Vec<BatchBuild>, String> {
    for build in &rest {
        for name in &build.depends_on {
            if !rest.iter().any(|one| &one.identifier == name) {
                return Err(format!(
                    "{} depends on {name}, which is not a build of the batch",
                    build.identifier
                ));
            }
        }
    }
    let mut done: Vec<BatchBuild> = Vec::new();
    while !rest.is_empty() {
        let ready = rest.iter().position(|build| {
            let is_done = |name| done.iter().any(|one: &BatchBuild| &one.identifier == name);
            build.depends_on.iter().all(is_done)
        });
        let Some(ready) = ready else {
            let names: Vec<&str> = rest.iter().map(|one| one.identifier.as_str()).collect();
            return Err(format!("{} depend on each other", names.join(", ")));
        };
        done.push(rest.remove(ready));
    }
    Ok(done)
}

/// Every combination of the matrix's dynamic part, each with its static part.
fn combined(matrix: &Node) -> Vec<BatchBuild> {
    let fixed = matrix.get("static");
    let mut first = BatchBuild {
        ignore_failure: fixed
            .and_then(|node| node.get("ignore-failure"))
            .and_then(Node::as_bool)
            .unwrap_or(false),
        ..BatchBuild::default()
    };
    if let Some(env) = fixed.and_then(|node| node.get("env")) {
        first.variables = pairs(entries(env, "variables"));
    }
    let mut builds = vec![first];
    let Some(dynamic) = matrix.get("dynamic") else {
        return numbered(builds);
    };
    let buildspecs = texts(dynamic, "buildspec");
    if !buildspecs.is_empty() {
        builds = multiplied(&builds, &buildspecs, |build, value| {
            build.buildspec = Some(value.to_owned());
        });
    }
    let env = dynamic.get("env");
    for (name, _) in env.map(|env| entries(env, "variables")).unwrap_or_default() {
        let Some(name) = name.as_str() else { continue };
        let variables = env.and_then(|env| env.get("variables"));
        let values = variables.map(|node| texts(node, name)).unwrap_or_default();
        builds = multiplied(&builds, &values, |build, value| {
            build.variables.push((name.to_owned(), value.to_owned()));
        });
    }
    numbered(builds)
}

fn multiplied(
    builds: &[BatchBuild],
    values: &[String],
    set: impl Fn(&mut BatchBuild, &str),
) -> Vec<BatchBuild> {
    let mut all = Vec::new();
    for build in builds {
        for value in values {
            let mut build = build.clone();
            set(&mut build, value);
            all.push(build);
        }
    }
    all
}

/// CodeBuild makes the identifiers of a matrix itself, in a form that is not documented.
fn numbered(mut builds: Vec<BatchBuild>) -> Vec<BatchBuild> {
    for (index, build) in builds.iter_mut().enumerate() {
        build.identifier = format!("build_{}", index + 1);
    }
    builds
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn read(text: &str) -> Result<Batch, String> {
        Batch::read(&contract::yaml::parse("b.yml", text).unwrap())
    }

    fn identifiers(batch: &Batch) -> Vec<&str> {
        let builds = batch.builds.iter();
        builds.map(|one| one.identifier.as_str()).collect()
    }

    #[test]
    fn a_list_is_taken_as_it_is() {
        let batch = read(
            "fast-fail: false\nbuild-list:\n  - {identifier: a, env: {variables: {X: 1}}, ignore-failure: true}\n  - {identifier: b, buildspec: b.yml}\n",
        )
        .unwrap();
        assert!(!batch.fast_fail);
        assert_eq!(identifiers(&batch), ["a", "b"]);
        assert_eq!(
            batch.builds[0].variables,
            [("X".to_owned(), "1".to_owned())]
        );
        assert!(batch.builds[0].ignore_failure);
        assert_eq!(batch.builds[1].buildspec.as_deref(), Some("b.yml"));
    }

    #[test]
    fn a_graph_is_put_into_order() {
        let batch = read(
            "build-graph:\n  - {identifier: c, depend-on: [a, b]}\n  - {identifier: b, depend-on: [a]}\n  - {identifier: a}\n",
        );
        assert_eq!(identifiers(&batch.unwrap()), ["a", "b", "c"]);
        let circle =
            read("build-graph: [{identifier: a, depend-on: [b]}, {identifier: b, depend-on: [a]}]");
        assert_eq!(circle.unwrap_err(), "a, b depend on each other");
        let unknown = read("build-graph: [{identifier: a, depend-on: [x]}]");
        assert_eq!(
            unknown.unwrap_err(),
            "a depends on x, which is not a build of the batch"
        );
    }

    #[test]
    fn a_matrix_is_every_combination() {
        let batch = read(
            "build-matrix:\n  static: {env: {variables: {S: s}}}\n  dynamic:\n    buildspec: [a.yml, b.yml]\n    env: {variables: {X: [1, 2], Y: [3]}}\n",
        )
        .unwrap();
        assert_eq!(batch.builds.len(), 4);
        let last = &batch.builds[3];
        assert_eq!(last.buildspec.as_deref(), Some("b.yml"));
        let variables: Vec<_> = last
            .variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(variables, ["S=s", "X=2", "Y=3"]);
        assert!(read("fast-fail: true").is_err());
    }
}
