#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn spec(items: &str) -> Buildspec {
    let text = format!(
        "version: 0.2\nenv:\n  exported-variables: [X, AMI_ID]\nphases:\n  build:\n    commands:\n{items}"
    );
    Buildspec::parse("b.yml", text.as_bytes()).unwrap()
}

fn found(items: &str) -> Vec<String> {
    check(&spec(items))
        .iter()
        .map(|one| {
            format!("{} {one}", one.rule.code)
                .lines()
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn codes(script: &str) -> Vec<&'static str> {
    let lines: String = script
        .lines()
        .map(|line| format!("          {line}\n"))
        .collect();
    check(&spec(&format!("      - |\n{lines}")))
        .iter()
        .map(|one| one.rule.code)
        .collect()
}

#[test]
fn findings_point_at_the_line_of_the_script() {
    assert_eq!(
        found(
            "      - echo a\n      - |\n        set -e\n        echo b\n        eval \"$(make-ami)\"\n"
        ),
        ["B201 b.yml:11:9: eval succeeds although `make-ami` in it fails"]
    );
    assert_eq!(
        found("      - export X=$(aws sts get-caller-identity)\n"),
        ["B202 b.yml:7:9: export succeeds although `aws sts get-caller-identity` in it fails"]
    );
}

#[test]
fn each_idiom_is_found() {
    for (script, code) in [
        ("eval $(make-ami)", "B201"),
        ("eval \"`make-ami`\"", "B201"),
        ("export A=$(aws x) B=2", "B202"),
        ("make build\necho done", "B203"),
        ("a && b\nc", "B203"),
        ("V=$(aws x)\necho $V", "B203"),
        ("export X=1\nexit 0", "B204"),
        ("X=1; exit", "B204"),
        (". \"$PWD/.exports\" && exit 0", "B204"),
        ("X=1\nexec make", "B204"),
        ("(export X=1)", "B205"),
        ("echo 1 | read X", "B205"),
        ("make-ami | tee log", "B206"),
        ("if make-ami | tee log; then echo x; fi", "B206"),
        ("packer build image.pkr.hcl | tee build.log", "B206"),
        (
            "TF_LOG=x /opt/terraform apply | sed s/a/b/ | tee log",
            "B206",
        ),
        ("curl -fsS https://x | sh", "B206"),
        (". exports", "B207"),
    ] {
        assert_eq!(codes(script), [code], "{script}");
    }
}

#[test]
fn what_is_sound_is_left_alone() {
    for script in [
        "V=$(make-ami) && eval \"$V\"",
        "eval \"$(make-ami || echo \"(exit $?)\")\"",
        "export A=$(date +%s)",
        "export A=$(echo $B | cut -c 1-7)",
        "export A=$(git describe || echo none)",
        "export A=\"$B\"",
        "set -eu\nmake build\necho done",
        "set -o errexit\nmake build\necho done",
        "make build &&\n  echo done",
        "make build || exit 1\necho done",
        "if ! make build; then\n  echo failed\n  exit 1\nfi\necho done",
        "echo a\nprintf b\nmake build",
        "for f in *.yml; do\n  cfn-lint $f || exit 1\ndone\necho done",
        "make build\nstatus=$?\necho $status\nexit $status",
        "export A=1\nexit 0",
        "export X=1\nexit 1",
        "if [ -n \"$SKIP\" ]; then exit 0; fi\nexport X=1",
        "make build; export X=1 || exit",
        "X=1\n(cd x && exit 0) || false",
        "cat <<EOF > x\nexport X=1\nexit 0\nEOF",
        ". ./exports",
        ". \"$PWD/.exports\"",
        "source exports",
        "make-ami --export-file x",
        "cat a.txt | docker login --password-stdin",
        "echo x | tee log",
        "docker build . | tee log || exit 1",
        "if docker ps | grep -q x; then echo up; fi",
        "set -o pipefail\ndocker build . | tee log",
        "docker build . | tee log\necho ${PIPESTATUS[0]}",
        "exec 2>&1",
        "[[ -n $A && -n $B ]]\necho done",
        "if [[ $A =~ ^x || -z $B ]]; then echo x; fi\nmake",
    ] {
        let found = codes(script);
        let expected: &[&str] = if script.starts_with("make build; export") {
            &["B203"]
        } else {
            &[]
        };
        assert_eq!(found, expected, "{script}");
    }
    // Windows.
    let mut windows = spec("      - export X=$(aws x)\n");
    windows.env.shell = Some("powershell.exe".to_owned());
    assert_eq!(check(&windows), []);
}

#[test]
fn what_a_later_item_reads_is_lost_with_exit() {
    let exits = "      - export TAG=1; exit 0\n";
    assert_eq!(
        found(&format!("{exits}      - docker build -t x:$TAG .\n")),
        ["B204 b.yml:7:9: `exit` loses TAG, which the item has set"]
    );
    for later in ["echo ${TAG:-none}", "echo ${TAG}"] {
        assert_eq!(
            found(&format!("{exits}      - {later}\n")).len(),
            1,
            "{later}"
        );
    }
    for later in ["echo $TAGS", "TAG=2 && echo $TAG", "echo TAG"] {
        let none: [&str; 0] = [];
        assert_eq!(found(&format!("{exits}      - {later}\n")), none, "{later}");
    }
}

#[test]
fn a_shell_of_its_own_sets_nothing() {
    let says = |item: &str| {
        let item = format!("      - '{item}'\n");
        sets(&spec(&item), "AMI_ID", Some(&[]))
    };
    assert_eq!(says("bash -c \"export AMI_ID=1\""), Set::No);
    assert_eq!(says("/bin/sh -ec \"AMI_ID=1; echo done\""), Set::No);
    assert_eq!(says("bash -c \"make\" && export AMI_ID=1"), Set::Yes);
    assert_eq!(says("AMI_ID=$(bash -c \"make id\")"), Set::Yes);
}

#[test]
fn what_sets_a_variable_is_known_or_not() {
    let says = |items: &str| sets(&spec(items), "AMI_ID", Some(&["GIVEN"]));
    let ami = "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"\n";
    assert_eq!(says(ami), Set::Yes);
    assert_eq!(says(&ami.replace("make-ami", "deploy-app")), Set::No);
    assert_eq!(says(&ami.replace("make-ami", "./other")), Set::Maybe);
    assert_eq!(
        says(&ami.replace("make-ami", "/usr/bin/export-vars")),
        Set::Maybe
    );
    assert_eq!(says("      - echo \"$AMI_ID ${AMI_ID}\"\n"), Set::No);
    assert_eq!(says("      - AMI_ID=$(x)\n"), Set::Yes);
    assert_eq!(says("      - eval \"$(x)\"\n"), Set::Maybe);
    assert_eq!(sets(&spec("      - echo\n"), "AMI_ID", None), Set::Maybe);
    assert_eq!(
        sets(&spec("      - echo\n"), "GIVEN", Some(&["GIVEN"])),
        Set::Yes
    );
}
