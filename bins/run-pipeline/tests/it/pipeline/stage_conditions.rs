//! Conditions of stages, retries, and the variables of a pipeline.

use harness::Ran;
use serde_json::{Value, json};

use super::foreign::{SHOW, build, connection, definition, program, stage};

/// A pipeline whose stage Gate has these fields, and the program's run with these arguments.
fn run(gate: &Value, buildspec: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut stages = vec![
        stage("Source", vec![connection()]),
        stage(
            "Gate",
            vec![
                build("First", 1, r##"[{"name":"WHAT","value":"first"}]"##),
                build("Second", 2, r##"[{"name":"WHAT","value":"second"}]"##),
            ],
        ),
        stage(
            "After",
            vec![build("Last", 1, r##"[{"name":"WHAT","value":"last"}]"##)],
        ),
    ];
    for (key, value) in gate.as_object().unwrap() {
        stages[1][key] = value.clone();
    }
    let mut definition = definition(json!(stages));
    definition["pipeline"]["pipelineType"] = "V2".into();
    definition["pipeline"]["variables"] = json!([{"name": "LEVEL", "defaultValue": "dev"}]);
    program(folder.path(), &definition, buildspec)
        .args(["--source", "app"])
        .args(arguments.iter().copied())
        .run()
}

/// A condition with a VariableCheck.
fn check(result: &str, variable: &str, value: &str) -> Value {
    json!({"conditions": [{"result": result, "rules": [{
        "name": "Check",
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
        "configuration": {"Variable": variable, "Value": value, "Operator": "EQ"},
    }]}]})
}

#[test]
fn a_stage_is_entered_only_when_its_conditions_are_met() {
    let gate = |result: &str| json!({"beforeEntry": check(result, "#{variables.LEVEL}", "prod")});
    run(&gate("FAIL"), SHOW, &[])
        .assert_code(1)
        .assert_stderr("the stage Gate may not be entered")
        .assert_stderr("the rule Gate/Check (BeforeEntry) is not met: #{variables.LEVEL} is \"dev\", and EQ \"prod\" is not met")
        .refute_stderr("Gate/First");
    run(&gate("SKIP"), SHOW, &[])
        .assert_code(0)
        .assert_stderr("the stage Gate is skipped")
        .assert_stderr("After/Last")
        .refute_stderr("---- Gate/First");
    run(&gate("FAIL"), SHOW, &["--variable", "variables.LEVEL=prod"])
        .assert_code(0)
        .assert_stderr("the rule Gate/Check (BeforeEntry) is met");
    run(&gate("FAIL"), SHOW, &["--skip", "Gate/Check"])
        .assert_code(0)
        .assert_stderr("the rule Gate/Check is treated as met (--skip)");
}

#[test]
fn a_stage_succeeds_only_when_its_conditions_are_met() {
    let gate =
        |value: &str| json!({"onSuccess": check("ROLLBACK", "#{FirstVariables.OUT}", value)});
    run(&gate("first"), SHOW, &[]).assert_code(0);
    run(&gate("other"), SHOW, &[])
        .assert_code(1)
        .assert_stderr("a condition of the stage Gate is not met")
        .assert_stderr("here nothing is rolled back")
        .refute_stderr("After/Last");
}

#[test]
fn commands_of_a_rule_run_over_its_artifacts() {
    let gate = |command: &str| {
        json!({"beforeEntry": {"conditions": [{"result": "FAIL", "rules": [{
            "name": "Look",
            "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "Commands", "version": "1"},
            "commands": [command],
            "inputArtifacts": [{"name": "AppOutput"}],
        }]}]}})
    };
    run(&gate("test -e buildspec.yml"), SHOW, &[])
        .assert_code(0)
        .assert_stderr("the rule Gate/Look (BeforeEntry) is met");
    run(&gate("test -e nothing"), SHOW, &[])
        .assert_code(1)
        .assert_stderr("the rule Gate/Look (BeforeEntry) is not met");
}

#[test]
fn what_is_not_evaluated_here_is_refused_until_it_is_passed_over() {
    let gate = json!({"onSuccess": {"conditions": [{"result": "ROLLBACK", "rules": [{
        "name": "Alarm",
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "CloudWatchAlarm", "version": "1"},
        "configuration": {"AlarmName": "a", "WaitTime": "1"},
    }]}]}});
    run(&gate, SHOW, &[])
        .assert_code(2)
        .assert_stderr("the rule Gate/Alarm (CloudWatchAlarm of OnSuccess) is not evaluated here; treat it as met with --skip Gate/Alarm");
    run(&gate, SHOW, &["--skip", "Alarm"]).assert_code(0);
}

#[test]
fn a_failed_stage_is_retried_once() {
    // The second action fails the first time.
    let spec = |place: &str| {
        format!(
            "version: 0.2
phases: {{build: {{commands: ['echo \"$WHAT\" >> {place}/ran', 'test \"$WHAT\" != second || test \"$(grep -c second {place}/ran)\" -gt 1']}}}}
"
        )
    };
    let ran = |mode: &str| {
        let place = tempfile::tempdir().unwrap();
        let gate =
            json!({"onFailure": {"result": "RETRY", "retryConfiguration": {"retryMode": mode}}});
        run(&gate, &spec(&place.path().display().to_string()), &[])
            .assert_code(0)
            .assert_stderr("the stage Gate is retried once (onFailure)");
        let text = std::fs::read_to_string(place.path().join("ran")).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ran("FAILED_ACTIONS"), ["first", "second", "second", "last"]);
    assert_eq!(
        ran("ALL_ACTIONS"),
        ["first", "second", "first", "second", "last"]
    );
    let broken = "version: 0.2\nphases: {build: {commands: ['false']}}\n";
    run(&json!({"onFailure": {"result": "ROLLBACK"}}), broken, &[])
        .assert_code(1)
        .assert_stderr("the build Gate/First failed")
        .assert_stderr("here nothing is rolled back");
}

#[test]
fn a_variable_of_the_pipeline_without_a_default_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut definition = definition(json!([
        stage("Source", vec![connection()]),
        stage(
            "Build",
            vec![build(
                "Show",
                1,
                r##"[{"name":"WHAT","value":"#{variables.TAG}"}]"##
            )]
        ),
    ]));
    definition["pipeline"]["variables"] = json!([{"name": "TAG"}]);
    let program = program(folder.path(), &definition, SHOW).args(["--source", "app"]);
    program.run().assert_code(2).assert_stderr(
        "the pipeline's variable TAG has no default; give it with --variable variables.TAG=VALUE",
    );
    let ran = program.args(["--variable", "variables.TAG=v7"]).run();
    let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(report["ShowVariables"]["OUT"], "v7");
}
