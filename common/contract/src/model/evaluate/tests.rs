#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};

use super::*;

const TEMPLATE: &str = r#"
Parameters:
  Env: {Type: String, AllowedValues: [dev, prod]}
  Zones: {Type: CommaDelimitedList, Default: 'a, b'}
  Name: {Type: String, Default: rag}
  Secret: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /x}
Mappings:
  Sizes:
    dev: {Type: small, List: [1, 2]}
    prod: {Type: large, List: [3]}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsDev: !Not [Condition: IsProd]
  Both: !And [!Condition IsProd, !Condition IsDev]
  Either: {"Fn::Or": [{Condition: IsProd}, {"Fn::Equals": [1, "1"]}]}
  Loop: !Not [!Condition Loop]
Resources:
  Bucket: {Type: 'AWS::S3::Bucket'}
Outputs:
"#;

fn evaluate(value: &str) -> Result<Option<Value>, String> {
    let text = format!("{TEMPLATE}  O: {value}\n");
    let template = Template::parse("t.yml", text.as_bytes()).unwrap();
    let mut world = World::in_region("eu-west-1", "111122223333", "demo");
    world.parameters.insert("Env".into(), "dev".into());
    world.imports.insert("base-Vpc".into(), "vpc-1".into());
    let evaluator = Evaluator::new(&template, &world).unwrap();
    evaluator
        .node(&template.outputs[0].1)
        .map(|node| node.map(|node| node.to_json()))
        .map_err(|finding| finding.to_string())
}

fn check(value: &str, expected: Value) {
    assert_eq!(evaluate(value), Ok(Some(expected)), "{value}");
}

#[test]
fn references() {
    check("!Ref Env", json!("dev"));
    check("{Ref: Name}", json!("rag"));
    check("!Ref Zones", json!(["a", "b"]));
    check("!Ref Bucket", json!("Bucket"));
    check("!GetAtt Bucket.Arn", json!("Bucket.Arn"));
    check("{'Fn::GetAtt': [Bucket, Arn]}", json!("Bucket.Arn"));
    check("!Ref 'AWS::Region'", json!("eu-west-1"));
    assert_eq!(evaluate("!Ref AWS::NoValue"), Ok(None));
    check(
        "{a: !Ref 'AWS::NoValue', b: [!Ref 'AWS::NoValue', 1]}",
        json!({"b": [1]}),
    );
}

#[test]
fn texts() {
    check(
        "!Sub '${AWS::StackName}-${Name}-${!x}-$y'",
        json!("demo-rag-${x}-$y"),
    );
    check(
        "!Sub ['${A}/${Bucket.Arn}', {A: !Ref Env}]",
        json!("dev/Bucket.Arn"),
    );
    check("!Join ['-', [a, !Ref Env, 3]]", json!("a-dev-3"));
    check("!Join [',', !Ref Zones]", json!("a,b"));
    check("!Select [1, !Split ['.', 'a.b.c']]", json!("b"));
    check("!Select ['0', !Ref Zones]", json!("a"));
    check("!FindInMap [Sizes, !Ref Env, Type]", json!("small"));
    check("!FindInMap [Sizes, prod, List]", json!([3]));
    check(
        "!FindInMap [Sizes, test, Type, {DefaultValue: !Ref Name}]",
        json!("rag"),
    );
    check(
        "!FindInMap [Sizes, dev, Type, {DefaultValue: x}]",
        json!("small"),
    );
    check("!ImportValue base-Vpc", json!("vpc-1"));
    check("!ImportValue {'Fn::Sub': 'base-Vpc'}", json!("vpc-1"));
    check(
        r##"!Sub '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
        json!(r##"{"AMIId":"#{AMIcreation.AMI_ID}"}"##),
    );
}

/// A plain text is what CloudFormation reads, as Y101 and its neighbours say.
#[test]
fn a_plain_text_is_read_as_cloudformation_reads_it() {
    for (plain, read) in [
        ("yes", "true"),
        ("Off", "false"),
        ("012", "10"),
        ("1_000", "1000"),
        ("22:30", "1350"),
        ("0189", "0189"),
        ("true", "true"),
        ("1.10", "1.10"),
    ] {
        check(&format!("!Join ['', [{plain}]]"), json!(read));
        check(&format!("!Join ['', ['{plain}']]"), json!(plain));
    }
    check("{a: yes, b: 012}", json!({"a": true, "b": 10}));
}

#[test]
fn a_stacks_output_is_not_known_here() {
    let value = "!GetStackOutput {StackName: a, OutputName: b}";
    assert_eq!(unknown(value), json!("${Fn::GetStackOutput}"));
    let strict = evaluate(value).unwrap_err();
    assert!(
        strict.contains("cannot be resolved without an account"),
        "{strict}"
    );
}

#[test]
fn conditions() {
    check("!If [IsProd, 1, !If [IsDev, 2, 3]]", json!(2));
    check("!If [Both, 1, 2]", json!(2));
    check("!If [Either, 1, 2]", json!(1));
    assert_eq!(evaluate("!If [IsProd, 1, !Ref 'AWS::NoValue']"), Ok(None));
    // Outside of conditions this is an ordinary mapping: IAM statements have such a key.
    check(
        "{Condition: {StringEquals: {a: b}}}",
        json!({"Condition": {"StringEquals": {"a": "b"}}}),
    );
}

/// What a lenient evaluation makes of a text, with `Env` and `Kind` unknown.
fn unknown(value: &str) -> Value {
    let text = format!(
        "Parameters: {{Env: {{Type: String}}, Kind: {{Type: String}}, Size: {{Type: String, Default: big}}}}\n\
         Conditions:\n  IsProd: !Equals [!Ref Env, prod]\n  IsBig: !Equals [!Ref Size, big]\n  \
         Not: !Not [!Condition IsProd]\n  And: !And [!Condition IsProd, !Condition IsBig]\n  \
         AndNot: !And [!Condition IsProd, !Not [!Condition IsBig]]\n  \
         Or: !Or [!Condition IsProd, !Condition IsBig]\n  Same: !Equals [!Ref Env, !Ref Env]\n  \
         Functions: !Equals [!Select [0, !Ref Env], !Select [0, !Ref Kind]]\n\
         Resources: {{Bucket: {{Type: 'AWS::S3::Bucket'}}}}\nOutputs:\n  O: {value}\n"
    );
    let template = Template::parse("t.yml", text.as_bytes()).unwrap();
    let world = World {
        lenient: true,
        ..World::default()
    };
    let evaluator = Evaluator::new(&template, &world).unwrap();
    let node = evaluator.node(&template.outputs[0].1).unwrap().unwrap();
    node.to_json()
}

#[test]
fn a_condition_over_what_is_not_known_is_neither_true_nor_false() {
    let branch = |condition: &str| unknown(&format!("!If [{condition}, 'a', 'b']"));
    for condition in ["IsProd", "Not", "And", "Functions"] {
        assert_eq!(branch(condition), json!("${Fn::If}"), "{condition}");
    }
    // What one known part decides is known.
    assert_eq!(branch("IsBig"), json!("a"));
    assert_eq!(branch("AndNot"), json!("b"));
    assert_eq!(branch("Or"), json!("a"));
    assert_eq!(branch("Same"), json!("a"));
}

#[test]
fn resources_are_marked_where_values_may_be_unknown() {
    assert_eq!(unknown("!Ref Bucket"), json!("${Bucket}"));
    assert_eq!(unknown("!Sub 'x-${Bucket.Arn}'"), json!("x-${Bucket.Arn}"));
    assert!(is_resource("${Bucket}", "Bucket") && is_resource("Bucket", "Bucket"));
    assert!(!is_resource("${Bucket.Arn}", "Bucket"));
}

#[test]
fn partitions_follow_the_region() {
    for (region, expected) in [
        ("eu-west-1", ("aws", "amazonaws.com")),
        ("cn-north-1", ("aws-cn", "amazonaws.com.cn")),
        ("us-gov-west-1", ("aws-us-gov", "amazonaws.com")),
        ("us-iso-east-1", ("aws-iso", "c2s.ic.gov")),
        ("us-isob-east-1", ("aws-iso-b", "sc2s.sgov.gov")),
    ] {
        assert_eq!(partition(region), expected, "{region}");
    }
}

#[test]
fn faults_name_the_function_and_the_place() {
    let check = |value: &str, expected: &str| {
        let error = evaluate(value).unwrap_err();
        assert!(error.contains(expected), "{value}: {error}");
        assert!(error.starts_with("t.yml:"), "{error}");
    };
    check(
        "!Ref Nam",
        "Nam is neither a parameter nor a resource\n  hint: did you mean Name?",
    );
    check("!Ref AWS::Regoin", "did you mean AWS::Region?");
    check("!Ref Secret", "read from Parameter Store");
    check("!Cidr [a, 1, 2]", "Fn::Cidr cannot be resolved");
    check("!Custom x", "Fn::Custom cannot be resolved");
    check("!Base64 x", "Fn::Base64 cannot be resolved");
    check("!If [IsPro, 1, 2]", "did you mean IsProd?");
    check("!If [IsProd, 1]", "Fn::If takes a list of 3");
    check("!If [Loop, 1, 2]", "condition Loop needs itself");
    check("!Select [5, [1]]", "item 5 of a list of 1");
    check(
        "!FindInMap [Sizes, dve, Type]",
        "no `dve` in Mappings.Sizes\n  hint: did you mean dev?",
    );
    check("!GetAtt Buket.Arn", "did you mean Bucket?");
    check("!Sub '${Bucket'", "never closed");
    check("!Sub '${Zones}'", "is not text");
    check("!ImportValue nope", "no stack exports nope");
}

#[test]
fn parameter_values_are_checked_all_at_once() {
    let text = format!("{TEMPLATE}  O: 1\n")
        .replace("Name: {Type: String, Default: rag}", "Name: {Type: String}");
    let template = Template::parse("t.yml", text.as_bytes()).unwrap();
    let mut world = World::default();
    world.parameters.insert("Env".into(), "test".into());
    world.parameters.insert("Zone".into(), "a".into());
    let faults = Evaluator::new(&template, &world).unwrap_err();
    let all: String = faults.iter().map(|one| format!("{one}\n")).collect();
    assert!(
        all.contains("Zone: not a parameter of this template\n  hint: did you mean Zones?"),
        "{all}"
    );
    assert!(
        all.contains("parameter Env is \"test\"; allowed are dev, prod"),
        "{all}"
    );
    assert!(
        all.contains("parameter Name has no value and no default"),
        "{all}"
    );
}
