#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::model::functions::refers_to;
use crate::model::images::image_ids;

fn found(text: &str) -> Vec<String> {
    let template = Template::parse("t.yml", text.as_bytes()).unwrap();
    check(&template, text.len())
        .iter()
        .map(|one| format!("{} {one}", one.rule.code))
        .collect()
}

#[test]
fn limits_are_counted() {
    let many: String = (0..501)
        .map(|n| format!("  R{n}: {{Type: AWS::S3::Bucket}}\n"))
        .collect();
    assert_eq!(
        found(&format!("Resources:\n{many}")),
        ["T103 t.yml:1:1: 501 resources, CloudFormation's limit is 500"]
    );
    let small = "Resources: {A: {Type: 'AWS::S3::Bucket'}}";
    for (section, one, limit) in [
        ("Parameters", "{Type: String}", 200),
        ("Mappings", "{a: {b: c}}", 200),
        ("Outputs", "{Value: x}", 200),
    ] {
        let with = |count: usize| {
            let many: Vec<String> = (0..count).map(|n| format!("N{n}: {one}")).collect();
            found(&format!("{section}: {{{}}}\n{small}", many.join(", ")))
        };
        assert_eq!(with(limit), [] as [&str; 0], "{section}");
        let said = format!(
            "{} {}, CloudFormation's limit is {limit}",
            limit + 1,
            section.to_lowercase()
        );
        let over = with(limit + 1);
        assert!(over.len() == 1 && over[0].ends_with(&said), "{over:?}");
    }
    let template = Template::parse("t.yml", small.as_bytes()).unwrap();
    let code = |bytes| check(&template, bytes).first().map(|one| one.rule.code);
    assert_eq!(code(51_200), None);
    assert_eq!(code(51_201), Some("T102"));
    assert_eq!(code(1_000_000), Some("T102"));
    assert_eq!(code(1_000_001), Some("T101"));
    let long = format!(
        "Description: {}\nParameters: {{P: {{Type: String, Default: {}}}}}\n{small}",
        "x".repeat(1025),
        "y".repeat(4097)
    );
    assert_eq!(found(&long).len(), 2);
}

#[test]
fn names_are_letters_and_digits() {
    let longest = "A".repeat(255);
    assert_eq!(
        found(&format!(
            "Resources: {{{longest}: {{Type: AWS::S3::Bucket}}}}"
        )),
        [] as [&str; 0]
    );
    for (text, said) in [
        (
            format!("Resources: {{{longest}B: {{Type: AWS::S3::Bucket}}}}"),
            "T007 t.yml:1:13: a name in Resources has 256 characters, the limit is 255",
        ),
        (
            "Resources: {Bad-Id: {Type: AWS::S3::Bucket}}".to_owned(),
            "T007 t.yml:1:13: \"Bad-Id\" in Resources is not a name of letters and digits only",
        ),
    ] {
        assert!(
            found(&text).iter().any(|one| one.starts_with(said)),
            "{:?}",
            found(&text)
        );
    }
    // A macro may take any name.
    let looped = "Transform: X\nResources: {Bad-Id: {Type: AWS::S3::Bucket}}";
    assert_eq!(found(looped), [] as [&str; 0]);
}

#[test]
fn names_must_be_declared() {
    let text = "Parameters: {Env: {Type: String}}
Conditions:
  IsProd: !Equals [!Ref Evn, prod]
  Both: !And [!Condition IsProd, Condition: IsPord]
Resources:
  A:
    Type: AWS::S3::Bucket
    Condition: Bot
    DependsOn: [B, C]
    Properties:
      BucketName: !Sub ['${Env}-${Own}-${A.Arn}-${!Lit}-${X.Y}-${AWS::Region}', {Own: !Ref Z}]
      Tags: !If [Isprod, !GetAtt Q.Arn, {'Fn::GetAtt': [A, Arn]}]
      Properties: x
  B: {Type: AWS::S3::Bucket, TemplateURL: x}
Outputs:
  O: {Value: !Ref Env, Condition: No}
";
    let all = found(text);
    let expected = [
        ("T006 t.yml:14:30: TemplateURL of B", ""),
        ("T201 t.yml:11:19: Z is neither", ""),
        ("T201 t.yml:11:19: X is not a resource", ""),
        (
            "T201 t.yml:12:18: condition Isprod is not declared",
            "did you mean IsProd?",
        ),
        ("T201 t.yml:12:26: Q is not a resource", ""),
        (
            "T201 t.yml:8:16: condition Bot is not declared",
            "did you mean Both?",
        ),
        ("T201 t.yml:9:20: C is not a resource", ""),
        (
            "T201 t.yml:3:21: Evn is not a parameter",
            "did you mean Env?",
        ),
        ("T201 t.yml:4:47: condition IsPord", "did you mean IsProd?"),
        ("T201 t.yml:16:35: condition No", ""),
    ];
    for (start, hint) in expected {
        let start = start.rsplit_once(": ").unwrap().1;
        assert!(
            all.iter()
                .any(|one| one.contains(start) && one.contains(hint)),
            "{start}: {all:#?}"
        );
    }
    // `No` is also a surprise of YAML 1.1.
    assert_eq!(all.len(), expected.len() + 1, "{all:#?}");
}

/// Everywhere that CloudFormation resolves names.
#[test]
fn names_are_looked_at_wherever_cloudformation_resolves_them() {
    let with = |place: &str, value: &str| {
        let text = format!(
            "Parameters: {{Env: {{Type: String}}}}\nMappings: {{M: {{a: {{b: c}}}}}}\nResources:\n  A:\n    Type: AWS::S3::Bucket\n    {place}\n"
        );
        found(&text.replace("HERE", value))
    };
    for place in [
        "Metadata: {x: {y: HERE}}",
        "CreationPolicy: {ResourceSignal: {Count: HERE}}",
        "UpdatePolicy: {AutoScalingRollingUpdate: {PauseTime: HERE}}",
        "Properties: {BucketName: HERE}",
        "DependsOn: []\nOutputs: {O: {Value: HERE}}",
        "DependsOn: []\nOutputs: {O: {Value: x, Export: {Name: HERE}}}",
        "DependsOn: []\nHooks: {H: {Type: X, Properties: {a: HERE}}}",
        "DependsOn: []\nRules: {R: {Assertions: [{Assert: !Equals [HERE, x]}]}}",
        "DependsOn: []\nConditions: {C: !Equals [HERE, x]}",
    ] {
        assert_eq!(with(place, "!Ref Env"), [] as [&str; 0], "{place}");
        let all = with(place, "!Ref Evn");
        assert!(
            all.len() == 1 && all[0].starts_with("T201") && all[0].contains("did you mean Env?"),
            "{place}: {all:?}"
        );
    }
    assert_eq!(
        with(
            "DependsOn: []\nConditions: {C: !Equals [HERE, x]}",
            "!Ref A"
        ),
        [
            "T201 t.yml:7:31: A is a resource, to which Conditions and Rules cannot refer\n  hint: refer to a parameter"
        ]
    );
    let map = |value: &str| with("Properties: {BucketName: HERE}", value);
    assert_eq!(map("!FindInMap [M, a, b]"), [] as [&str; 0]);
    assert_eq!(map("!FindInMap [M, !Ref Env, b]"), [] as [&str; 0]);
    assert_eq!(
        map("!FindInMap [M, x, b, {DefaultValue: d}]"),
        [] as [&str; 0]
    );
    assert_eq!(
        map("!FindInMap [N, a, b]"),
        ["T201 t.yml:6:41: Mappings has no N\n  hint: did you mean M?"]
    );
    assert_eq!(
        map("!FindInMap [M, a, q]"),
        ["T201 t.yml:6:41: Mappings.M.a has no q\n  hint: did you mean b?"]
    );
}

#[test]
fn pseudo_parameters_are_those_that_exist() {
    let with = |transform: &str, value: &str| {
        found(&format!(
            "{transform}Resources: {{A: {{Type: AWS::S3::Bucket, Properties: {{BucketName: {value}}}}}}}\n"
        ))
    };
    for value in [
        "!Ref AWS::Region",
        "!Sub 'x-${AWS::AccountId}-${!AWS::X}'",
        "!Ref AWS::NoValue",
    ] {
        assert_eq!(with("", value), [] as [&str; 0], "{value}");
    }
    for transform in ["", "Transform: AWS::Serverless-2016-10-31\n"] {
        let all = with(transform, "!Ref AWS::AcountId");
        assert!(
            all[0].contains(
                "AWS::AcountId is not a pseudo parameter\n  hint: did you mean AWS::AccountId?"
            ),
            "{all:?}"
        );
        let all = with(transform, "!Sub ['${AWS::Regoin}', {}]");
        assert!(all[0].contains("did you mean AWS::Region?"), "{all:?}");
    }
    assert_eq!(with("Transform: Mine\n", "!Ref AWS::Mine"), [] as [&str; 0]);
}

#[test]
fn a_function_has_the_shape_that_it_takes() {
    let with = |value: &str| {
        found(&format!(
            "Parameters: {{P: {{Type: String}}}}\nMappings: {{M: {{a: {{b: c}}}}}}\nConditions: {{C: !Equals [!Ref P, x]}}\n\
             Resources:\n  N: {{Type: AWS::S3::Bucket}}\n  A: {{Type: AWS::S3::Bucket, Properties: {{BucketName: {value}}}}}\n"
        ))
    };
    for good in [
        "!GetAtt N.Arn",
        "!GetAtt [N, Arn]",
        "{'Fn::GetAtt': [N, !Ref P]}",
        "!Join ['', [a]]",
        "!Join [',', !Ref P]",
        "!Select [0, [a]]",
        "!Select [!Ref P, !GetAZs '']",
        "!Select [0, !GetAZs ]",
        "!Sub a",
        "!Sub [a, {}]",
        "!Split [',', !Ref P]",
        "!FindInMap [M, a, b]",
        "!FindInMap [M, x, b, {DefaultValue: 1}]",
        "!If [C, a, b]",
        "!Base64 a",
        "!Cidr [!Ref P, 2]",
        "!ImportValue {'Fn::Sub': x}",
        "!GetStackOutput {StackName: a, OutputName: b}",
        "!ToJsonString {a: b}",
        "{Condition: {a: b}}",
    ] {
        assert_eq!(with(good), [] as [&str; 0], "{good}");
    }
    for (bad, said) in [
        (
            "!GetAtt N",
            "T203 t.yml:6:52: Fn::GetAtt takes a resource and an attribute",
        ),
        ("!GetAtt [N, a, b]", "Fn::GetAtt takes a resource"),
        (
            "!Join [a]",
            "Fn::Join takes a list of a delimiter and a list of values",
        ),
        ("!Join [a, b]", "Fn::Join takes"),
        ("!Select [0]", "Fn::Select takes a list of an index"),
        (
            "!Select [5, [a, b]]",
            "Fn::Select takes an index below 2 here, not 5",
        ),
        (
            "!Select [x, [a, b]]",
            "Fn::Select takes an index of 0 and more",
        ),
        ("!Sub [a, {}, b]", "Fn::Sub takes a text"),
        ("!Sub [a]", "Fn::Sub takes a text"),
        (
            "!Ref [P]",
            "Ref takes the name of a parameter or a resource",
        ),
        ("{Ref: {a: b}}", "Ref takes"),
        ("!Split [',']", "Fn::Split takes"),
        ("!FindInMap [M, a]", "Fn::FindInMap takes"),
        ("!FindInMap [M, a, b, c]", "Fn::FindInMap takes"),
        ("!If [C, a]", "Fn::If takes"),
        ("!Base64 [a]", "Fn::Base64 takes a text"),
        ("!Cidr [a]", "Fn::Cidr takes"),
        ("!GetStackOutput {StackName: a}", "Fn::GetStackOutput takes"),
        ("!ToJsonString a", "Fn::ToJsonString takes"),
        (
            "!Jion ['-', [a]]",
            "T204 t.yml:6:50: CloudFormation has no function Fn::Jion\n  hint: did you mean Fn::Join?",
        ),
        ("{'Fn::Ref': P}", "CloudFormation has no function Fn::Ref"),
    ] {
        let all = with(bad);
        let said = said.rsplit_once(": ").map_or(said, |(_, said)| said);
        assert!(all.len() == 1 && all[0].contains(said), "{bad}: {all:?}");
    }
    // With the language extensions Ref takes functions, and a macro may take anything.
    let text = "Transform: AWS::LanguageExtensions\nResources: {A: {Type: AWS::S3::Bucket, Properties: {BucketName: {Ref: !Sub x}}}}\n";
    assert_eq!(found(text), [] as [&str; 0]);
    assert_eq!(
        found(&text.replace("AWS::LanguageExtensions", "Mine")),
        [] as [&str; 0]
    );
}

/// A template for rain is none of CloudFormation's, and nothing else is known about it.
#[test]
fn what_rain_writes_is_not_guessed() {
    let text = "Resources:\n  A:\n    Type: !Rain::Module 'm.yml'\n    Overrides: {}\n  B: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref AName}}\n";
    assert_eq!(
        found(text),
        [
            "T204 t.yml:3:25: CloudFormation has no function Fn::Rain::Module\n  hint: let `rain pkg` write the template out first"
        ]
    );
}

#[test]
fn an_update_policy_has_known_parts() {
    let with = |part: &str| {
        found(&format!(
            "Resources: {{A: {{Type: AWS::AutoScaling::AutoScalingGroup, UpdatePolicy: {{{part}: {{}}}}}}}}\n"
        ))
    };
    assert_eq!(with("AutoScalingInstanceRefresh"), [] as [&str; 0]);
    let all = with("AutoScalingInstanceRefesh");
    assert!(
        all[0].contains("T006") && all[0].contains("did you mean AutoScalingInstanceRefresh?"),
        "{all:?}"
    );
}

#[test]
fn what_a_macro_writes_is_not_guessed() {
    let text = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Connectors: {}\n    \
                Properties: {Role: !GetAtt FRole.Arn}\n";
    assert_eq!(found(text), [] as [&str; 0]);
}

#[test]
fn images_are_parameters() {
    let text = "Parameters: {AMIId: {Type: 'AWS::EC2::Image::Id'}}
Resources:
  A: {Type: AWS::EC2::Instance, Properties: {ImageId: ami-0123456789abcdef0}}
  B: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: !Ref AMIId}}}
  C: {Type: AWS::EC2::Instance, Properties: {ImageId: '{{resolve:ssm:/x}}'}}
  D: {Type: AWS::Other::Thing, Properties: {ImageId: ami-0123456789abcdef0}}
";
    assert_eq!(
        found(text),
        ["T301 t.yml:3:55: ImageId is ami-0123456789abcdef0, written down"]
    );
    let template = Template::parse("t.yml", text.as_bytes()).unwrap();
    let images = image_ids(&template);
    assert_eq!(images.len(), 3);
    assert!(refers_to(images[1], "AMIId") && !refers_to(images[0], "AMIId"));
}
