#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

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
        ("T201 t.yml:3:21: Evn is neither", "did you mean Env?"),
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
