//! The build instance, broken.

use super::Change;

const BUILD_INSTANCE: &str = "cfn/build-instance.yml";

pub(super) const GUARDED: &[Change] = &[
    (
        "port_22_is_closed_to_addresses",
        BUILD_INSTANCE,
        "SourceSecurityGroupId: !GetAtt BuildSecurityGroup.GroupId",
        "CidrIp: 0.0.0.0/0",
    ),
    (
        "metadata_of_the_build_instance_needs_a_token",
        BUILD_INSTANCE,
        "HttpTokens: required",
        "HttpTokens: optional",
    ),
    (
        "disks_of_the_build_instance_are_encrypted_gp3",
        BUILD_INSTANCE,
        "Encrypted: true",
        "Encrypted: false",
    ),
    (
        "port_22_is_closed_to_addresses",
        BUILD_INSTANCE,
        "SourceSecurityGroupId: !GetAtt BuildSecurityGroup.GroupId",
        "SourcePrefixListId: pl-0123456789abcdef0",
    ),
    (
        "single_rules_name_groups",
        BUILD_INSTANCE,
        "SourceSecurityGroupId: !Ref InstanceConnectSecurityGroupId",
        "CidrIp: 0.0.0.0/0",
    ),
    (
        "metadata_of_the_build_instance_is_one_hop_away",
        BUILD_INSTANCE,
        "HttpPutResponseHopLimit: 1",
        "HttpPutResponseHopLimit: 2",
    ),
];

pub(super) const RESOLVED: &[Change] = &[(
    "boundary of InstanceRole",
    BUILD_INSTANCE,
    "      PermissionsBoundary: !If [HasPermissionsBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]\n",
    "",
)];
