//! AWS, where there is an instance or something else of AWS's to ask.

use aws::session::Session;

use super::instance::Ec2;

/// The clients of one account and region.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    /// What the other clients are made from.
    pub session: Session,
    /// Instances.
    pub ec2: Ec2,
}

impl Cloud {
    /// Clients of a session.
    pub(crate) fn new(session: Session) -> Self {
        let ec2 = Ec2::new(&session);
        Self { session, ec2 }
    }
}
