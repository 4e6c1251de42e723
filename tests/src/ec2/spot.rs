//! What a Spot Instance was launched by.

/// The Spot request of an instance.
#[derive(Debug, Clone)]
pub struct SpotRequest {
    /// Such as `sir-0123456789abcdef0`.
    pub id: String,
    /// `one-time` or `persistent`.
    pub kind: String,
    /// `active` while its instance runs, `disabled` while somebody has stopped it, `cancelled`, and others.
    pub state: String,
    /// What EC2 does to the instance when it needs the capacity: `terminate`, `stop` or `hibernate`.
    pub interruption: String,
    /// Its launch group, if it has one.
    pub launch_group: Option<String>,
}

impl SpotRequest {
    /// An active request as RunInstances makes it: a persistent one is never interrupted by termination
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SpotMarketOptions.html>).
    pub(super) fn active(id: &str, kind: &str) -> Self {
        let interruption = match kind {
            "persistent" => "stop",
            _ => "terminate",
        };
        Self {
            id: id.to_owned(),
            kind: kind.to_owned(),
            state: "active".to_owned(),
            interruption: interruption.to_owned(),
            launch_group: None,
        }
    }
}
