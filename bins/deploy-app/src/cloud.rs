//! AWS, where there is an instance or something else of AWS's to ask.

use aws::session::Session;

use crate::instance::Ec2;

/// The clients of one account and region.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// What the other clients are made from.
    pub session: Session,
    /// Instances.
    pub ec2: Ec2,
}

impl Cloud {
    /// Clients of a session.
    #[must_use]
    pub fn new(session: Session) -> Self {
        let ec2 = Ec2::new(&session);
        Self { session, ec2 }
    }

    /// Whether a CodeBuild build still runs; nothing when AWS does not tell.
    pub async fn is_in_progress(&self, build: &str) -> Option<bool> {
        let client = aws_sdk_codebuild::Client::new(&self.session.config);
        match client.batch_get_builds().ids(build).send().await {
            Ok(answer) => {
                let build = answer.builds().first()?;
                let status = build.build_status()?;
                Some(*status == aws_sdk_codebuild::types::StatusType::InProgress)
            }
            Err(error) => {
                let error = aws::error::AwsError::of(&error);
                tracing::info!("cannot ask whether build {build} still runs: {error}");
                None
            }
        }
    }
}
