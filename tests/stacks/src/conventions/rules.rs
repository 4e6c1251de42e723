//! The templates' `Rules`: what they let pass and what they refuse before anything is changed.

use std::path::Path;

use serde_json::json;

use super::ENVIRONMENTS;
use crate::faults::Faults;
use crate::stack::{CERTIFICATE, ELSEWHERE, Stack};

const NO_TLS: &str = "CertificateArn is empty; PlainHttp must say yes to serve without TLS";
const PLAIN_PROD: &str = "prod is never served without TLS";
const SPOT_PROD: &str =
    "prod never runs on Spot; with a minimum of one instance it would be gone at any time";
const UNASKED_PROD: &str = "prod is deployed by a change set that a person has approved";
const FOREIGN_SUBNET: &str = "SubnetId1 and SubnetId2 must be subnets of VPCId";
const FOREIGN_CONTAINER_SUBNET: &str = "every subnet must be one of VPCId";
const NO_SUBNET: &str = "BuildVpcId needs BuildSubnetId1";
const NO_GROUP: &str = "BuildVpcId needs BuildSecurityGroupId";

/// Values, and what is refused of them.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

const LOAD_BALANCER: [Case<'_>; 5] = [
    (&[("CertificateArn", CERTIFICATE)], &[]),
    (&[("CertificateArn", "")], &[NO_TLS]),
    (&[("CertificateArn", ""), ("PlainHttp", "yes")], &[]),
    (
        &[("CertificateArn", ""), ("Environment", "prod")],
        &[NO_TLS],
    ),
    (
        &[
            ("CertificateArn", ""),
            ("PlainHttp", "yes"),
            ("Environment", "prod"),
        ],
        &[PLAIN_PROD],
    ),
];

const SPOT: [Case<'_>; 3] = [
    (&[("Spot", "yes")], &[]),
    (&[("Spot", "yes"), ("Environment", "prod")], &[SPOT_PROD]),
    (&[("Environment", "prod")], &[]),
];

/// The private ones may be empty, so they are texts to CloudFormation, which looks up no text.
const SUBNETS: [Case<'_>; 4] = [
    (&[], &[]),
    (&[("SubnetId1", ELSEWHERE)], &[FOREIGN_SUBNET]),
    (&[("SubnetId2", ELSEWHERE)], &[FOREIGN_SUBNET]),
    (&[("PrivateSubnetId1", ELSEWHERE)], &[]),
];

const CONTAINER_SUBNETS: [Case<'_>; 4] = [
    (&[], &[]),
    (&[("SubnetId2", ELSEWHERE)], &[FOREIGN_CONTAINER_SUBNET]),
    (
        &[("PrivateSubnetId1", ELSEWHERE)],
        &[FOREIGN_CONTAINER_SUBNET],
    ),
    (
        &[("PrivateSubnetId2", ELSEWHERE)],
        &[FOREIGN_CONTAINER_SUBNET],
    ),
];

const PIPELINE: [Case<'_>; 6] = [
    (
        &[("Environment", "prod"), ("DeployMode", "update")],
        &[UNASKED_PROD],
    ),
    (
        &[("Environment", "prod"), ("DeployMode", "change-set")],
        &[],
    ),
    (&[("DeployMode", "update")], &[]),
    (&[("BuildVpcId", "vpc-00000001")], &[NO_SUBNET, NO_GROUP]),
    (
        &[
            ("BuildVpcId", "vpc-00000001"),
            ("BuildSubnetId1", "subnet-00000003"),
        ],
        &[NO_GROUP],
    ),
    (
        &[
            ("BuildVpcId", "vpc-00000001"),
            ("BuildSubnetId1", "subnet-00000003"),
            ("BuildSecurityGroupId", "sg-00000005"),
        ],
        &[],
    ),
];

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    let app = Stack::load(folder, "app.yml")?;
    let ecs = Stack::load(folder, "app-ecs.yml")?;
    let pipeline = Stack::load(folder, "pipeline.yml")?.with(&[
        ("SourceBucketName", "source"),
        ("ArtifactBucketName", "artifacts"),
        ("ReleaseBucketName", "release"),
        ("InstanceId", "i-0123456789abcdef0"),
        ("HostKey", "ssh-ed25519 AAAA"),
        ("AppStackName", "app"),
    ]);
    for (name, stack, cases) in [
        ("app.yml", &app, &LOAD_BALANCER[..]),
        ("app.yml", &app, &SPOT),
        ("app-ecs.yml", &ecs, &LOAD_BALANCER),
        ("app.yml", &app, &SUBNETS),
        ("app-ecs.yml", &ecs, &CONTAINER_SUBNETS),
        ("pipeline.yml", &pipeline, &PIPELINE),
    ] {
        faults.at(name);
        for (values, expected) in cases {
            let refused = stack.with(values).refused()?;
            faults.equal(
                format!("refused of {values:?}"),
                &json!(refused),
                json!(expected),
            );
        }
    }
    for environment in ENVIRONMENTS {
        for (name, stack, file) in [
            ("app.yml", &app, format!("{environment}.json")),
            (
                "pipeline.yml",
                &pipeline,
                format!("pipeline-{environment}.json"),
            ),
        ] {
            faults.at(name);
            let refused = stack.configured(folder, &file)?.refused()?;
            faults.equal(
                format!("refused of cfn/config/{file}"),
                &json!(refused),
                json!([]),
            );
        }
    }
    Ok(())
}
