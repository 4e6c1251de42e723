//! Why there is no tunnel, or no longer one.

use aws::error::AwsError;
use tunnel_protocol::frames::Fault;
use tunnel_protocol::ssm::channel::End;

use crate::websocket::OpenError;

/// Why there is no tunnel, or no longer one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TunnelError {
    /// The request for the websocket could not be signed.
    #[error("the request cannot be signed: {0}")]
    Unsigned(String),
    /// There is no websocket.
    #[error("{0}")]
    Open(OpenError),
    /// The Instance Connect Endpoint ended it.
    #[error("{0}")]
    Endpoint(EndpointError),
    /// Session Manager gave no session, or ended it.
    #[error("{0}")]
    Ssm(SsmError),
}

/// Why an endpoint's tunnel ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// As the frames tell it.
    #[error("the Instance Connect Endpoint {0}")]
    Ended(Fault),
    /// The same, after the longest time that a connection may last.
    #[error(
        "the Instance Connect Endpoint {0}; it ends every connection after an hour, so that what takes longer needs another way (DEPLOY_APP_TRANSPORT)"
    )]
    Hour(Fault),
}

/// Why there is no session, or no longer one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SsmError {
    /// SSM knows no running agent on the instance.
    #[error("the SSM agent of {instance} is not connected to Systems Manager: {why}")]
    NoAgent {
        /// The instance.
        instance: String,
        /// What SSM said.
        why: AwsError,
    },
    /// A policy, or the account's preferences for sessions, refuse it.
    #[error(
        "a session with the document AWS-StartSSHSession is refused: {0}; it needs ssm:StartSession on the instance and on document/AWS-StartSSHSession, and ssm:SessionDocumentAccessCheck may ask for more"
    )]
    Refused(AwsError),
    /// Another error of the call.
    #[error("no session was started: {0}")]
    Start(AwsError),
    /// Its websocket goes where no token may go.
    #[error("SSM gave no address that a token may be sent to")]
    Address,
    /// The session ended.
    #[error("{end}{}", told(.stderr))]
    Ended {
        /// How.
        end: End,
        /// What the agent's plugin wrote to its standard error.
        stderr: String,
    },
    /// The connection broke off, and the session could not be resumed.
    #[error("the connection of the session broke off ({cut}), and it could not be resumed: {why}")]
    Lost {
        /// How it broke off.
        cut: String,
        /// Why there is no other.
        why: String,
    },
}

fn told(stderr: &str) -> String {
    match stderr.trim() {
        "" => String::new(),
        stderr => format!(" (the agent says: {stderr})"),
    }
}
