//! What the agent asks of a client before the stream begins, and the client's answers, as JSON.

use aws_smithy_types::base64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What our answers say of us. Agents choose their protocol by it: this is the first plugin that signs its websocket,
/// and the least that AWS supports (<https://docs.aws.amazon.com/systems-manager/latest/userguide/plugin-version-history.html>).
pub const CLIENT_VERSION: &str = "1.2.764.0";

/// The agent's question.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Request {
    #[serde(default)]
    pub(crate) agent_version: String,
    #[serde(default)]
    pub(crate) requested_client_actions: Vec<Action>,
}

/// What the agent wants.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Action {
    pub(crate) action_type: String,
    #[serde(default)]
    pub(crate) action_parameters: Value,
}

impl Action {
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.action_parameters[name].as_str().unwrap_or_default()
    }
}

impl Request {
    /// The KMS key that the session is to be encrypted with.
    pub(crate) fn kms_key(&self) -> Option<&str> {
        let asked = self.requested_client_actions.iter();
        let mut asked = asked.filter(|action| action.action_type == "KMSEncryption");
        asked.next().map(|action| action.parameter("KMSKeyId"))
    }

    /// The sort of session, where it is one that carries no stream to a port.
    pub(crate) fn other_session_type(&self) -> Option<&str> {
        let asked = self.requested_client_actions.iter();
        let mut asked = asked.filter(|action| action.action_type == "SessionType");
        let found = asked.next()?.parameter("SessionType");
        (found != "Port").then_some(found)
    }

    /// The answer; `key` is the encrypted data key, or why there is none.
    pub(crate) fn answer(&self, key: &Result<Vec<u8>, String>) -> Vec<u8> {
        let processed: Vec<Processed> = self
            .requested_client_actions
            .iter()
            .map(|action| action.processed(key))
            .collect();
        let errors = processed.iter().map(|one| one.error.clone());
        let response = Response {
            client_version: CLIENT_VERSION,
            errors: errors.filter(|error| !error.is_empty()).collect(),
            processed_client_actions: processed,
        };
        serde_json::to_vec(&response).unwrap_or_default()
    }
}

impl Action {
    fn processed(&self, key: &Result<Vec<u8>, String>) -> Processed {
        let (action_status, action_result, error) = match self.action_type.as_str() {
            "SessionType" => match self.parameter("SessionType") {
                "Port" => (Status::Success, Value::Null, String::new()),
                other => (
                    Status::Failed,
                    Value::Null,
                    format!("session type {other} is not supported"),
                ),
            },
            "KMSEncryption" => match key {
                Ok(key) => {
                    let result = serde_json::json!({"KMSCipherTextKey": base64::encode(key)});
                    (Status::Success, result, String::new())
                }
                Err(why) => (Status::Failed, Value::Null, why.clone()),
            },
            other => (
                Status::Unsupported,
                Value::Null,
                format!("action {other} is not supported"),
            ),
        };
        Processed {
            action_type: self.action_type.clone(),
            action_status: action_status as u8,
            action_result,
            error,
        }
    }
}

#[derive(Clone, Copy)]
enum Status {
    Success = 1,
    Failed = 2,
    Unsupported = 3,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    client_version: &'static str,
    processed_client_actions: Vec<Processed>,
    errors: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Processed {
    action_type: String,
    action_status: u8,
    action_result: Value,
    error: String,
}

/// Either side of the proof that both have the same key: bytes in base64.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Challenge {
    challenge: String,
}

impl Challenge {
    /// The bytes of a challenge.
    pub(crate) fn read(json: &[u8]) -> Option<Vec<u8>> {
        let read: Self = serde_json::from_slice(json).ok()?;
        base64::decode(read.challenge).ok()
    }

    /// The other way round.
    pub(crate) fn written(bytes: &[u8]) -> Vec<u8> {
        let challenge = base64::encode(bytes);
        serde_json::to_vec(&Self { challenge }).unwrap_or_default()
    }
}

/// What a closed channel says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Closed {
    #[serde(default)]
    pub(crate) output: String,
}

/// What arrived.
#[derive(Debug, Deserialize)]
pub(crate) struct Acknowledged {
    #[serde(rename = "AcknowledgedMessageSequenceNumber")]
    pub(crate) sequence: i64,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Challenge, Request};
    use serde_json::{Value, json};

    fn answer(request: &Value, key: &Result<Vec<u8>, String>) -> Value {
        let request: Request = serde_json::from_value(request.clone()).unwrap();
        serde_json::from_slice(&request.answer(key)).unwrap()
    }

    #[test]
    fn every_action_is_answered_and_nothing_is_claimed_that_is_not_done() {
        let request = json!({"AgentVersion": "3.3.3572.0", "RequestedClientActions": [
            {"ActionType": "KMSEncryption", "ActionParameters": {"KMSKeyId": "arn:key"}},
            {"ActionType": "SessionType", "ActionParameters": {"SessionType": "Port", "Properties": {"portNumber": "22"}}},
            {"ActionType": "Teleport"},
        ]});
        let said = answer(&request, &Ok(b"secret".to_vec()));
        assert_eq!(
            said["ProcessedClientActions"],
            json!([
                {"ActionType": "KMSEncryption", "ActionStatus": 1, "ActionResult": {"KMSCipherTextKey": "c2VjcmV0"}, "Error": ""},
                {"ActionType": "SessionType", "ActionStatus": 1, "ActionResult": null, "Error": ""},
                {"ActionType": "Teleport", "ActionStatus": 3, "ActionResult": null, "Error": "action Teleport is not supported"},
            ])
        );
        assert_eq!(said["Errors"], json!(["action Teleport is not supported"]));
        let said = answer(&request, &Err("not permitted".to_owned()));
        assert_eq!(said["ProcessedClientActions"][0]["ActionStatus"], 2);
        assert_eq!(said["Errors"][0], "not permitted");
    }

    #[test]
    fn a_shell_is_not_taken_for_a_port() {
        let request: Request = serde_json::from_value(json!({"RequestedClientActions": [
            {"ActionType": "SessionType", "ActionParameters": {"SessionType": "Standard_Stream"}}
        ]}))
        .unwrap();
        assert_eq!(request.other_session_type(), Some("Standard_Stream"));
        assert_eq!(request.kms_key(), None);
    }

    #[test]
    fn challenges_are_bytes_in_base64() {
        let written = Challenge::written(b"\0proof");
        assert_eq!(written, br#"{"Challenge":"AHByb29m"}"#);
        assert_eq!(Challenge::read(&written).unwrap(), b"\0proof");
        assert_eq!(Challenge::read(b"{}"), None);
    }
}
