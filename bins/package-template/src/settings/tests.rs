use super::*;

/// The target, or the faults.
fn target(pairs: &[(&str, &str)]) -> Result<Target, Vec<String>> {
    let given = [("file", "t.yml"), ("key", "template.zip")];
    let map = given
        .iter()
        .chain(pairs)
        .map(|(name, value)| ((*name).to_owned(), (*value).into()));
    let raw: Raw = serde_json::from_value(serde_json::Value::Object(map.collect())).unwrap();
    let mut faults = Faults::for_tests();
    match raw.job(&mut faults) {
        Some(settings) if faults.is_empty() => Ok(settings.target),
        _ => Err(faults.messages().to_vec()),
    }
}

#[test]
fn there_is_one_target() {
    assert!(
        matches!(target(&[("bucket", "abc")]), Ok(Target::Bucket(bucket)) if bucket.key == "template.zip")
    );
    assert_eq!(
        target(&[("output", "x.zip")]),
        Ok(Target::File("x.zip".into()))
    );
    assert_eq!(
        target(&[("print_digest", "1"), ("bucket", "abc")]),
        Ok(Target::Digest)
    );
    for pairs in [
        &[][..],
        &[("bucket", "abc"), ("output", "x.zip")],
        &[("print_digest", "1"), ("output", "x.zip")],
    ] {
        assert_eq!(target(pairs).unwrap_err().len(), 1, "{pairs:?}");
    }
}

#[test]
fn a_check_and_a_digest_need_no_bucket() {
    for (command, target) in [("check", Target::Check), ("digest", Target::Digest)] {
        let map = [("file", "t.yml"), ("key", "template.zip")];
        let map = map.map(|(name, value)| (name.to_owned(), value.into()));
        let raw = serde_json::Value::Object(map.into_iter().collect());
        let raw: Raw = serde_json::from_value(raw).unwrap();
        let mut faults = Faults::for_tests().under(Some(command));
        let settings = raw.job(&mut faults).unwrap();
        assert_eq!((settings.target, settings.assets), (target, None));
    }
    assert_eq!("live:x".parse(), Ok(Pipeline::Live("x".to_owned())));
    assert_eq!("a/b.yml".parse(), Ok(Pipeline::File("a/b.yml".into())));
    assert!("live:".parse::<Pipeline>().is_err());
}

#[test]
fn every_fault_is_reported() {
    let faults = target(&[
        ("file", "x="),
        ("sources", "a\n=b\n../c=/d"),
        ("bucket", "s3://my-bucket/x"),
        ("key", "/template.zip"),
        ("bucket_owner", "1234"),
        ("ignore_file", "a/b"),
        ("exclude", ".git\n{a"),
        ("force", "maybe"),
    ])
    .unwrap_err();
    assert_eq!(faults.len(), 9, "{faults:#?}");
    assert!(
        faults
            .iter()
            .any(|fault| fault.contains("give the bucket's name, my-bucket"))
    );
}
