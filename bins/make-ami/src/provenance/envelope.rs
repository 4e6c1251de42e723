//! A signed statement: a DSSE envelope (<https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>) of an
//! in-toto statement.

use crate::settings::statement_key::StatementKey;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A statement in its envelope; nothing where the key cannot sign.
pub(crate) fn signed(statement: &Value, key: &StatementKey) -> Option<Value> {
    let payload = statement.to_string();
    let signature = key.sign(&signed_bytes(payload.as_bytes()))?;
    Some(json!({
        "payloadType": PAYLOAD_TYPE,
        "payload": BASE64.encode(payload.as_bytes()),
        "signatures": [{ "keyid": key.id(), "sig": BASE64.encode(&signature) }],
    }))
}

/// What a signature covers: DSSE's PAE.
fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {PAYLOAD_TYPE} {} ",
        PAYLOAD_TYPE.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
}

/// Why a text is not believed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unbelievable {
    /// It is neither a statement nor one in an envelope.
    Unreadable,
    /// It is not signed.
    Unsigned,
    /// None of its signatures is of the key.
    OtherKey,
}

/// A statement out of its file. With a key, only what that key has signed is given; what is given is what was signed.
pub(crate) fn open(text: &str, key: Option<&StatementKey>) -> Result<Value, Unbelievable> {
    let value: Value = serde_json::from_str(text).map_err(|_| Unbelievable::Unreadable)?;
    if value.get("payloadType").is_none() {
        return match key {
            Some(_) => Err(Unbelievable::Unsigned),
            None => Ok(value),
        };
    }
    let envelope: Envelope = serde_json::from_value(value).map_err(|_| Unbelievable::Unreadable)?;
    let payload = BASE64.decode(envelope.payload.as_bytes());
    let payload = payload.map_err(|_| Unbelievable::Unreadable)?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Unbelievable::Unreadable);
    }
    if let Some(key) = key {
        let message = signed_bytes(&payload);
        let is_good = |one: &Signature| {
            let signature = BASE64.decode(one.sig.as_bytes());
            signature.is_ok_and(|signature| key.has_signed(&message, &signature))
        };
        if !envelope.signatures.iter().any(is_good) {
            return Err(Unbelievable::OtherKey);
        }
    }
    serde_json::from_slice(&payload).map_err(|_| Unbelievable::Unreadable)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Unbelievable, open, signed, signed_bytes};
    use crate::settings::statement_key::StatementKey;
    use crate::settings::statement_key::tests::new_key;
    use data_encoding::BASE64;
    use serde_json::json;

    #[test]
    fn only_what_the_key_has_signed_comes_out_of_an_envelope() {
        let (private, public) = new_key();
        let private = StatementKey::of_pem(&private).unwrap();
        let public = StatementKey::of_pem(&public).unwrap();
        let statement = json!({ "_type": "x", "subject": [1] });
        let envelope = signed(&statement, &private).unwrap();
        assert!(signed(&statement, &public).is_none());
        let text = envelope.to_string();
        assert_eq!(open(&text, Some(&public)), Ok(statement.clone()));
        assert_eq!(open(&text, None), Ok(statement.clone()));
        let other = StatementKey::of_pem(&new_key().1).unwrap();
        assert_eq!(open(&text, Some(&other)), Err(Unbelievable::OtherKey));
        let mut changed = envelope.clone();
        changed["payload"] = BASE64.encode(b"{\"subject\":[2]}").into();
        let changed = changed.to_string();
        assert_eq!(open(&changed, Some(&public)), Err(Unbelievable::OtherKey));
        let mut stripped = envelope;
        stripped["signatures"] = json!([]);
        let stripped = stripped.to_string();
        assert_eq!(open(&stripped, Some(&public)), Err(Unbelievable::OtherKey));
        let bare = statement.to_string();
        assert_eq!(open(&bare, Some(&public)), Err(Unbelievable::Unsigned));
        assert_eq!(open(&bare, None), Ok(statement));
        for bad in ["", "{", "{\"payloadType\":\"x\"}"] {
            assert_eq!(open(bad, None), Err(Unbelievable::Unreadable));
        }
    }

    /// The example of <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>, with our type.
    #[test]
    fn lengths_are_those_of_bytes() {
        assert_eq!(
            signed_bytes("hellö".as_bytes()),
            "DSSEv1 28 application/vnd.in-toto+json 6 hellö".as_bytes()
        );
    }
}
