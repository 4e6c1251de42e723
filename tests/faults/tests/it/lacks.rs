//! What each emulator lacks, asked for, so that the day on which it learns it is noticed.

use harness::ministack::Ministack;
use harness::moto::Moto;
use harness::server::Server;

const TABLE: &str = include_str!("../../lacks.txt");

/// Operation, what it is asked with, and what is skipped without it.
fn lines(emulator: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (who, rest) = line.split_once(' ').unwrap();
            let (operation, rest) = rest.trim_start().split_once(' ').unwrap();
            let (with, skipped) = rest.trim_start().split_once("  ").unwrap();
            (who, (operation, with, skipped.trim()))
        })
        .filter(|(who, _)| *who == emulator)
        .map(|(_, line)| line)
        .collect()
}

/// What the emulator answers.
fn asked(server: &Server, operation: &str, with: &str) -> (u16, String) {
    let (service, action) = operation.split_once(':').unwrap();
    if with.starts_with('/') {
        return server.rest(service, "GET", with, b"");
    }
    if with.ends_with(&format!(".{action}")) {
        return server.try_json(service, with, &serde_json::json!({}));
    }
    let params: Vec<(&str, &str)> = with
        .split('&')
        .filter_map(|one| one.split_once('='))
        .collect();
    server.try_query(service, action, &params)
}

fn lacks(emulator: &str, server: &Server) {
    let mut learnt = Vec::new();
    for (operation, with, skipped) in lines(emulator) {
        assert!(!skipped.is_empty(), "{operation}: what is skipped?");
        let (status, answer) = asked(server, operation, with);
        let unknown = ["InvalidAction", "Unsupported service"];
        if status < 500 && !unknown.iter().any(|word| answer.contains(word)) {
            learnt.push(format!("{operation}: {status} {answer}"));
        }
    }
    assert!(
        learnt.is_empty(),
        "{emulator} knows now what lacks.txt says it lacks; take the lines out and add the faults:\n{}",
        learnt.join("\n")
    );
}

#[test]
fn ministack_lacks_what_the_table_says() {
    let Some(ministack) = Ministack::start() else {
        return;
    };
    lacks("ministack", &ministack);
    // The question itself is understood: what is there is told from what is not.
    let known = asked(
        &ministack,
        "ec2:StopInstances",
        "InstanceId.1=i-0123456789abcdef0",
    );
    assert!(known.1.contains("InvalidInstanceID.NotFound"), "{known:?}");
}

#[test]
fn moto_lacks_what_the_table_says() {
    let Some(moto) = Moto::start() else { return };
    lacks("moto", &moto);
    let known = asked(
        &moto,
        "codepipeline:GetPipeline",
        "CodePipeline_20150709.GetPipeline",
    );
    assert!(known.0 < 500, "{known:?}");
}

#[test]
fn every_line_of_the_table_is_asked() {
    let lines = lines("ministack").len() + lines("moto").len();
    let all = TABLE.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(lines, all);
}
