use super::*;

fn shelf(bucket: &str, region: &str) -> Shelf {
    Shelf {
        bucket: bucket.to_owned(),
        prefix: "assets/".to_owned(),
        region: region.to_owned(),
    }
}

fn packaged(folder: &Path, shelf: &Shelf) -> (String, Vec<Asset>, Vec<String>) {
    let path = folder.join("cfn/t.yml");
    let text = fs::read_to_string(&path).unwrap();
    let root = yaml::parse("t.yml", &text).unwrap();
    let mut packager = Packager::new(Some(shelf), Rules::default(), false);
    let edited = packager.template(&path, &text, &root);
    let found = &packager.report.findings;
    let found = found
        .iter()
        .map(|one| format!("{} {}", one.rule.code, one.message))
        .collect();
    (edited, packager.into_assets(), found)
}

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

#[test]
fn only_the_values_change_and_equal_content_is_stored_once() {
    let text = "# my stack\r\nResources:\r\n  F: # code\r\n    Type: AWS::Lambda::Function\r\n    Properties: {Code: ../src, Handler: 'x'}\r\n  \
                    G:\r\n    Type: AWS::Serverless::Function\r\n    Properties:\r\n      CodeUri: \"../src\"   # the same\r\n  \
                    J: {Type: AWS::Glue::Job, Properties: {Command: {ScriptLocation: job.py}}}\r\n";
    let folder = project(&[
        ("cfn/t.yml", text),
        ("src/index.py", "x"),
        ("cfn/job.py", "y"),
    ]);
    let (edited, assets, found) = packaged(folder.path(), &shelf("my-bucket", "eu-west-1"));
    assert_eq!(found, [] as [&str; 0]);
    assert_eq!(assets.len(), 2);
    let zip = assets
        .iter()
        .find(|asset| asset.key.ends_with(".zip"))
        .unwrap();
    let job = assets
        .iter()
        .find(|asset| asset.key.ends_with(".py"))
        .unwrap();
    assert_eq!(job.key, format!("assets/{}.py", Digest::of(b"y")));
    let expected = text
        .replace(
            "Code: ../src",
            &format!(
                "Code: {{\"S3Bucket\": \"my-bucket\", \"S3Key\": \"{}\"}}",
                zip.key
            ),
        )
        .replace("\"../src\"", &format!("\"s3://my-bucket/{}\"", zip.key))
        .replace("job.py", &format!("s3://my-bucket/{}", job.key));
    assert_eq!(edited, expected);
}

#[test]
fn an_included_piece_is_packaged_with_what_it_names() {
    let top = "Transform: {Name: AWS::Include, Parameters: {Location: parts/inc.yml}} # piece\nResources: {}\n";
    let piece =
        "F:\r\n  Type: AWS::Lambda::Function # code\r\n  Properties: {Code: '../../src/f.py'}\r\n";
    let folder = project(&[
        ("cfn/t.yml", top),
        ("cfn/parts/inc.yml", piece),
        ("src/f.py", "1"),
    ]);
    let (edited, assets, found) = packaged(folder.path(), &shelf("b", "eu-west-1"));
    assert_eq!(found, [] as [&str; 0]);
    let asset = |end: &str| assets.iter().find(|one| one.key.ends_with(end)).unwrap();
    let (piece_there, code) = (asset(".yml"), asset(".zip"));
    assert_eq!(
        edited,
        top.replace("parts/inc.yml", &format!("s3://b/{}", piece_there.key))
    );
    let expected = piece.replace(
        "'../../src/f.py'",
        &format!("{{\"S3Bucket\": \"b\", \"S3Key\": \"{}\"}}", code.key),
    );
    assert_eq!(String::from_utf8_lossy(&piece_there.bytes), expected);
    let source = folder.path().canonicalize().unwrap().join("src/f.py");
    assert_eq!(code.source, source, "no `..` is left in it");
}

#[test]
fn a_path_that_an_alias_uses_for_something_else_is_not_replaced() {
    let text = "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Code: &d ./f.py, Environment: {Variables: {DIR: *d}}}}\n";
    let folder = project(&[("cfn/t.yml", text), ("cfn/f.py", "1")]);
    let (edited, _, found) = packaged(folder.path(), &shelf("b", "eu-west-1"));
    assert_eq!(edited, text);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("T302 Code of F") && found[0].contains("line 2 uses by an anchor"),
        "{found:?}"
    );
    let both = "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Code: &d ./f.py}}\n  G: {Type: AWS::Lambda::Function, Properties: {Code: *d}}\n";
    fs::write(folder.path().join("cfn/t.yml"), both).unwrap();
    let (edited, _, found) = packaged(folder.path(), &shelf("b", "eu-west-1"));
    assert_eq!(found, [] as [&str; 0]);
    assert_eq!(edited.matches("S3Bucket").count(), 2);
}

#[test]
fn nested_templates_are_packaged_from_the_inside() {
    let top = "Resources:\n  N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: nested/n.yml}}\n";
    let middle = "{\"Resources\": {\"M\": {\"Type\": \"AWS::CloudFormation::Stack\", \"Properties\": {\"TemplateURL\": \"../leaf.yml\"}}}}";
    let leaf = "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Code: ../src/f.py}}\n";
    let files = [
        ("cfn/t.yml", top),
        ("cfn/nested/n.yml", middle),
        ("cfn/leaf.yml", leaf),
        ("src/f.py", "1"),
    ];
    let folder = project(&files);
    let (edited, assets, found) = packaged(folder.path(), &shelf("b.c", "cn-north-1"));
    assert_eq!(found, [] as [&str; 0]);
    assert_eq!(assets.len(), 3);
    assert!(
        edited.contains("TemplateURL: https://s3.cn-north-1.amazonaws.com.cn/b.c/assets/"),
        "{edited}"
    );
    let middle = assets
        .iter()
        .find(|asset| asset.source.ends_with("n.yml"))
        .unwrap();
    let middle = std::str::from_utf8(&middle.bytes).unwrap();
    assert!(
        middle.starts_with("{\"Resources\": {\"M\": ") && middle.contains("/assets/"),
        "JSON stays JSON: {middle}"
    );
    fs::write(folder.path().join("src/f.py"), "2").unwrap();
    let (again, ..) = packaged(folder.path(), &shelf("b.c", "cn-north-1"));
    assert_ne!(again, edited, "a change below shows at the top");
}

#[test]
fn what_cannot_be_packaged_says_why() {
    let top = "Resources:
  A: {Type: AWS::Lambda::Function, Properties: {Code: missing/}}
  B: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: t.yml}}
  C: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: bad.yml}}
  D:
    Type: AWS::Lambda::Function
    Properties:
      Code: |
        src
  E: {Type: AWS::Lambda::Function, Properties: {Code: secret}}
  F: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: secret}}
";
    let folder = project(&[
        ("cfn/t.yml", top),
        ("cfn/bad.yml", "Resources: []\n"),
        ("cfn/secret/.env", "A=1"),
        ("cfn/secret/sub/.DS_Store", "x"),
    ]);
    let (edited, _, found) = packaged(folder.path(), &shelf("b", "x"));
    assert_eq!(edited, top);
    for (code, part) in [
        ("T303", "there is no"),
        ("T303", "it includes itself"),
        ("T303", "it is not a template"),
        ("T001", "Resources is a list"),
        ("T303", "environment file"),
        ("T303", "sub/.DS_Store`: it belongs to version control"),
        ("T303", "it is a folder"),
    ] {
        assert!(
            found
                .iter()
                .any(|one| one.starts_with(code) && one.contains(part)),
            "{part}: {found:#?}"
        );
    }
}
