//! KMS as far as a program looks at a key before it encrypts with it: DescribeKey.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::fake_aws::{FakeAws, Reply, Request};

/// The account that owns every key.
const ACCOUNT: &str = "123456789012";

/// A shared KMS; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Kms(Arc<Mutex<Vec<Key>>>);

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Such as `1234abcd-12ab-34cd-56ef-1234567890ab`; `mrk-…` for one of several regions.
    pub id: String,
    /// The region it is in.
    pub region: String,
    /// `alias/…` names of it.
    pub aliases: Vec<String>,
    /// `CUSTOMER` or `AWS`.
    pub manager: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`, `PendingImport`, `Unavailable`, …
    pub state: String,
    /// `ENCRYPT_DECRYPT` or `SIGN_VERIFY`.
    pub usage: String,
    /// `SYMMETRIC_DEFAULT` or the kind of a key pair.
    pub spec: String,
    /// Whether it has replicas in other regions.
    pub multi_region: bool,
}

impl Key {
    /// A key of the customer's own in eu-west-1, enabled and symmetric; one of several regions
    /// when its id begins with `mrk-`.
    pub fn customer(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            region: "eu-west-1".to_owned(),
            aliases: Vec::new(),
            manager: "CUSTOMER".to_owned(),
            state: "Enabled".to_owned(),
            usage: "ENCRYPT_DECRYPT".to_owned(),
            spec: "SYMMETRIC_DEFAULT".to_owned(),
            multi_region: id.starts_with("mrk-"),
        }
    }

    /// The key that AWS manages for EBS, `alias/aws/ebs`: what it encrypts cannot be shared.
    pub fn aws_ebs(id: &str) -> Self {
        Self {
            manager: "AWS".to_owned(),
            ..Self::customer(id).alias("alias/aws/ebs")
        }
    }

    /// Adds an alias, such as `alias/images`.
    #[must_use]
    pub fn alias(mut self, name: &str) -> Self {
        self.aliases.push(name.to_owned());
        self
    }

    /// Changes the region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        self.region = region.to_owned();
        self
    }

    /// Changes the state.
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        self.state = state.to_owned();
        self
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:kms:{}:{ACCOUNT}:key/{}", self.region, self.id)
    }

    fn is_named(&self, name: &str) -> bool {
        let place = format!("arn:aws:kms:{}:{ACCOUNT}:", self.region);
        let local = name.strip_prefix(&place).unwrap_or(name);
        let id = local.strip_prefix("key/").unwrap_or(local);
        id == self.id || self.aliases.iter().any(|alias| alias == local)
    }

    fn json(&self) -> Value {
        let mut key = json!({
            "AWSAccountId": ACCOUNT,
            "KeyId": self.id,
            "Arn": self.arn(),
            "CreationDate": 1_577_836_800.0,
            "Enabled": self.state == "Enabled",
            "Description": "",
            "KeyUsage": self.usage,
            "KeyState": self.state,
            "Origin": "AWS_KMS",
            "KeyManager": self.manager,
            "CustomerMasterKeySpec": self.spec,
            "KeySpec": self.spec,
            "EncryptionAlgorithms": [self.spec],
            "MultiRegion": self.multi_region,
        });
        if self.multi_region {
            key["MultiRegionConfiguration"] = json!({
                "MultiRegionKeyType": "PRIMARY",
                "PrimaryKey": {"Arn": self.arn(), "Region": self.region},
                "ReplicaKeys": [],
            });
        }
        key
    }
}

impl Kms {
    /// A KMS with these keys.
    pub fn with(keys: impl IntoIterator<Item = Key>) -> Self {
        Self(Arc::new(Mutex::new(keys.into_iter().collect())))
    }

    /// Adds a key.
    pub fn add(&self, key: Key) {
        self.0.lock().unwrap().push(key);
    }

    /// Makes `fake` answer `kms:DescribeKey`, of keys in the region that a request is signed for.
    pub fn serve(&self, fake: &FakeAws) {
        let this = self.clone();
        fake.on_call("kms:DescribeKey", move |request| this.describe_key(request));
    }

    fn describe_key(&self, request: &Request) -> Reply {
        let asked = request.json();
        let name = asked["KeyId"].as_str().unwrap_or("");
        let region = request.region();
        let keys = self.0.lock().unwrap();
        let found = keys.iter().find(|key| {
            key.is_named(name) && region.as_ref().is_none_or(|region| *region == key.region)
        });
        if let Some(key) = found {
            return Reply::json(&json!({"KeyMetadata": key.json()}));
        }
        let message = if name.contains("alias/") {
            format!("Alias {name} is not found.")
        } else {
            format!("Key '{name}' does not exist")
        };
        Reply::error(400, "NotFoundException", message)
    }
}
