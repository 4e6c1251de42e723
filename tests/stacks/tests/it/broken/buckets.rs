//! The buckets, broken.

use super::Change;

const BUCKETS: &str = "cfn/buckets.yml";

pub(super) const GUARDED: &[Change] = &[
    (
        "buckets_outlive_their_stack",
        BUCKETS,
        "    DeletionPolicy: Retain\n",
        "",
    ),
    (
        "buckets_outlive_their_stack",
        BUCKETS,
        "UpdateReplacePolicy: Retain",
        "UpdateReplacePolicy: Delete",
    ),
    (
        "buckets_are_versioned_and_encrypted",
        BUCKETS,
        "VersioningConfiguration: {Status: Enabled}",
        "VersioningConfiguration: {Status: Suspended}",
    ),
    (
        "buckets_are_private",
        BUCKETS,
        "        RestrictPublicBuckets: true\n",
        "",
    ),
    (
        "buckets_are_private",
        BUCKETS,
        "BlockPublicPolicy: true",
        "BlockPublicPolicy: false",
    ),
    (
        "buckets_forget_old_versions",
        BUCKETS,
        "            NoncurrentVersionExpiration: {NoncurrentDays: !Ref NoncurrentDays}\n",
        "",
    ),
    (
        "source_and_release_never_expire",
        BUCKETS,
        "            NoncurrentVersionExpiration: {NoncurrentDays: !Ref NoncurrentDays}\n",
        "            NoncurrentVersionExpiration: {NoncurrentDays: 7}\n            ExpirationInDays: 7\n",
    ),
    (
        "source_bucket_tells_eventbridge",
        BUCKETS,
        "EventBridgeEnabled: true",
        "EventBridgeEnabled: false",
    ),
    (
        "each_bucket_has_a_policy",
        BUCKETS,
        "      Bucket: !Ref ReleaseBucket\n",
        "      Bucket: !Ref ArtifactBucket\n",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "Condition: {Bool: {aws:SecureTransport: 'false'}}",
        "Condition: {Bool: {aws:SecureTransport: 'true'}}",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "StringNotEquals: {aws:PrincipalAccount: !Ref AWS::AccountId}",
        "StringNotEquals: {aws:PrincipalAccount: '*'}",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "[!GetAtt ReleaseBucket.Arn, !Sub '${ReleaseBucket.Arn}/*']",
        "[!GetAtt ReleaseBucket.Arn]",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "[!GetAtt SourceBucket.Arn, !Sub '${SourceBucket.Arn}/*']",
        "[!Sub '${SourceBucket.Arn}/*']",
    ),
    (
        "buckets_are_reached_by_tls_from_this_account",
        BUCKETS,
        "Bool: {aws:PrincipalIsAWSService: 'false'}",
        "Bool: {aws:PrincipalIsAWSService: 'true'}",
    ),
];

pub(super) const RESOLVED: &[Change] = &[
    (
        "does not grant s3:ListBucket",
        BUCKETS,
        "Action: [s3:GetBucketVersioning, s3:ListBucket]",
        "Action: s3:GetBucketVersioning",
    ),
    (
        "what Put is about",
        BUCKETS,
        "Resource: !Sub '${SourceBucket.Arn}/template.zip'",
        "Resource: !Sub '${SourceBucket.Arn}/*'",
    ),
];
