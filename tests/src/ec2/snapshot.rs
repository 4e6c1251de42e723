//! Snapshots with the attributes that the programs read.

use super::Tags;
use super::time::LONG_AGO;
use super::world::ACCOUNT;

/// A snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Such as `snap-0123456789abcdef0`.
    pub id: String,
    /// `pending`, `completed` or `error`.
    pub state: String,
    /// Why it is in the state `error`.
    pub state_message: Option<String>,
    /// In percent.
    pub progress: u32,
    /// The volume it was made of.
    pub volume: String,
    /// In GiB.
    pub size: u32,
    /// EC2 writes `Created by CreateImage(i-…) for ami-…`.
    pub description: String,
    /// When it was begun, as EC2 writes it ([`super::iso`]).
    pub started: String,
    /// When it was completed.
    pub completed: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The ARN of the key that encrypts it.
    pub kms_key: Option<String>,
    /// Bytes of all blocks ever written; known when it is completed.
    pub full_size: Option<u64>,
    /// The accounts that may make volumes of it.
    pub shared_with: Vec<String>,
    /// Its tags.
    pub tags: Tags,
    /// The account that owns it.
    pub owner: String,
}

impl Snapshot {
    /// A completed snapshot of 8 GiB, from long ago.
    pub fn completed(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: "completed".to_owned(),
            state_message: None,
            progress: 100,
            volume: id.replacen("snap-", "vol-", 1),
            size: 8,
            description: String::new(),
            started: LONG_AGO.to_owned(),
            completed: Some(LONG_AGO.to_owned()),
            encrypted: false,
            kms_key: None,
            full_size: Some(2 << 30),
            shared_with: Vec::new(),
            tags: Vec::new(),
            owner: ACCOUNT.to_owned(),
        }
    }

    /// A snapshot that is `progress` percent done.
    pub fn pending(id: &str, progress: u32) -> Self {
        Self {
            state: "pending".to_owned(),
            progress,
            completed: None,
            full_size: None,
            ..Self::completed(id)
        }
    }

    /// Changes the volume it is of.
    #[must_use]
    pub fn of_volume(mut self, id: &str) -> Self {
        self.volume = id.to_owned();
        self
    }

    /// Changes when it was begun, as [`super::iso`] writes it.
    #[must_use]
    pub fn started(mut self, time: &str) -> Self {
        self.started = time.to_owned();
        self
    }

    /// Changes the description.
    #[must_use]
    pub fn description(mut self, text: &str) -> Self {
        self.description = text.to_owned();
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Encrypts it with the key of this ARN.
    #[must_use]
    pub fn encrypted(mut self, key: &str) -> Self {
        self.encrypted = true;
        self.kms_key = Some(key.to_owned());
        self
    }
}
