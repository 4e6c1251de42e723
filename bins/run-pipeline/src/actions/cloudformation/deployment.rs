//! What is deployed, and with what.

use action::wait::Limits;
use aws_sdk_cloudformation::Client;

use super::request::Request;

/// One deployment of a stack.
pub(super) struct Deployment {
    pub(super) client: Client,
    pub(super) region: String,
    pub(super) request: Request,
    pub(super) limits: Limits,
}
