//! Sources.

use super::provider::Kind::OneOf;
use super::provider::Need::Optional;
use super::provider::{Provider, may, must, of_aws, setting, switch};

const FORMATS: &[&str] = &["CODE_ZIP", "CODEBUILD_CLONE_REF"];

pub(super) static ALL: &[Provider] = &[
    of_aws(
        &["Source"],
        "S3",
        &[
            must("S3Bucket"),
            must("S3ObjectKey"),
            switch("PollForSourceChanges"),
            switch("AllowOverrideForS3ObjectKey"),
        ],
    )
    .takes((0, 0), (1, 1)),
    of_aws(
        &["Source"],
        "CodeCommit",
        &[
            must("RepositoryName"),
            must("BranchName"),
            switch("PollForSourceChanges"),
            setting("OutputArtifactFormat", Optional, OneOf(FORMATS)),
        ],
    )
    .takes((0, 0), (1, 1)),
    of_aws(
        &["Source"],
        "CodeStarSourceConnection",
        &[
            must("ConnectionArn"),
            must("FullRepositoryId"),
            must("BranchName"),
            setting("OutputArtifactFormat", Optional, OneOf(FORMATS)),
            switch("DetectChanges"),
        ],
    )
    .takes((0, 0), (1, 1)),
    of_aws(
        &["Source"],
        "ECR",
        &[must("RepositoryName"), may("ImageTag")],
    )
    .takes((0, 0), (1, 1)),
    Provider {
        owner: "ThirdParty",
        ..of_aws(
            &["Source"],
            "GitHub",
            &[
                must("Owner"),
                must("Repo"),
                must("Branch"),
                must("OAuthToken"),
                switch("PollForSourceChanges"),
            ],
        )
    }
    .takes((0, 0), (1, 1)),
];
