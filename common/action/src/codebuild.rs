//! The build around us: CodeBuild's environment as a typed value.
//!
//! The names and their meaning are documented at
//! <https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html>.

use std::time::{Duration, SystemTime};

/// What CodeBuild says of the build that runs this program. All empty outside of CodeBuild.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeBuild {
    /// `CODEBUILD_BUILD_ID`, such as `make-ami:f3a…`.
    pub build_id: Option<String>,
    /// `CODEBUILD_BUILD_ARN`.
    pub build_arn: Option<String>,
    /// `CODEBUILD_BUILD_NUMBER`.
    pub build_number: Option<String>,
    /// `CODEBUILD_INITIATOR`; `codepipeline/NAME` when a pipeline started the build.
    pub initiator: Option<String>,
    /// `CODEBUILD_RESOLVED_SOURCE_VERSION`: a commit id, or the version of an S3 object. Unset for
    /// an S3 source without versioning.
    pub resolved_source_version: Option<String>,
    /// `CODEBUILD_SOURCE_VERSION`.
    pub source_version: Option<String>,
    /// `CODEBUILD_SRC_DIR`.
    pub source_dir: Option<String>,
    /// `CODEBUILD_START_TIME`, which CodeBuild gives in milliseconds since 1970.
    pub start_time: Option<SystemTime>,
    /// `CODEBUILD_BUILD_SUCCEEDING`: `1` so far so good, `0` after a failed build phase.
    pub succeeding: Option<bool>,
}

impl CodeBuild {
    /// Reads it from an environment.
    #[must_use]
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| variable(name).filter(|value| !value.is_empty());
        Self {
            build_id: read("CODEBUILD_BUILD_ID"),
            build_arn: read("CODEBUILD_BUILD_ARN"),
            build_number: read("CODEBUILD_BUILD_NUMBER"),
            initiator: read("CODEBUILD_INITIATOR"),
            resolved_source_version: read("CODEBUILD_RESOLVED_SOURCE_VERSION"),
            source_version: read("CODEBUILD_SOURCE_VERSION"),
            source_dir: read("CODEBUILD_SRC_DIR"),
            start_time: read("CODEBUILD_START_TIME")
                .and_then(|text| text.parse().ok())
                .map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis)),
            succeeding: read("CODEBUILD_BUILD_SUCCEEDING").map(|value| value != "0"),
        }
    }

    /// The pipeline that started the build.
    #[must_use]
    pub fn pipeline(&self) -> Option<&str> {
        self.initiator.as_deref()?.strip_prefix("codepipeline/")
    }

    /// The project's name: the build id up to its colon.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        Some(self.build_id.as_deref()?.split_once(':')?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::CodeBuild;

    #[test]
    fn reads_the_documented_names() {
        let build = CodeBuild::read(|name| {
            Some(
                match name {
                    "CODEBUILD_BUILD_ID" => "ami:0a1b",
                    "CODEBUILD_INITIATOR" => "codepipeline/rag",
                    "CODEBUILD_START_TIME" => "1700000000000",
                    "CODEBUILD_BUILD_SUCCEEDING" => "0",
                    _ => "",
                }
                .to_owned(),
            )
        });
        assert_eq!(build.project(), Some("ami"));
        assert_eq!(build.pipeline(), Some("rag"));
        assert_eq!(build.succeeding, Some(false));
        assert_eq!(build.source_dir, None);
    }

    #[test]
    fn is_empty_on_a_laptop() {
        assert_eq!(CodeBuild::read(|_| None), CodeBuild::default());
    }
}
