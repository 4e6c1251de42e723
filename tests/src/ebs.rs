//! The EBS direct APIs as far as a program counts blocks: ListChangedBlocks and
//! ListSnapshotBlocks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::fake_aws::{FakeAws, Reply, Request};

/// The size of a block unless a test says otherwise: 512 KiB, the only one that EBS has so far.
const BLOCK_SIZE: u64 = 512 << 10;

/// A shared EBS; clones are the same one.
#[derive(Debug, Clone)]
pub struct Ebs(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    snapshots: BTreeMap<String, Blocks>,
    block_size: u64,
    /// How many blocks a page holds at most, whatever was asked for.
    page_size: usize,
}

/// The blocks of one snapshot.
#[derive(Debug, Clone)]
struct Blocks {
    volume: String,
    /// In GiB.
    size: u32,
    /// What is in each written block; equal numbers are equal content.
    blocks: BTreeMap<u64, u64>,
}

impl Default for Ebs {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            snapshots: BTreeMap::new(),
            block_size: BLOCK_SIZE,
            page_size: 10_000,
        })))
    }
}

impl Ebs {
    /// An EBS without snapshots.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a completed snapshot of a volume of `size` GiB, or replaces it: the index and the
    /// content of each written block, where equal numbers are equal content.
    pub fn snapshot(
        &self,
        id: &str,
        volume: &str,
        size: u32,
        blocks: impl IntoIterator<Item = (u64, u64)>,
    ) {
        let blocks = Blocks {
            volume: volume.to_owned(),
            size,
            blocks: blocks.into_iter().collect(),
        };
        let mut state = self.0.lock().unwrap();
        state.snapshots.insert(id.to_owned(), blocks);
    }

    /// Lists at most `blocks` in a page; EBS may give fewer than were asked for.
    pub fn page_size(&self, blocks: usize) {
        self.0.lock().unwrap().page_size = blocks;
    }

    /// Changes the size of a block in bytes.
    pub fn block_size(&self, bytes: u64) {
        self.0.lock().unwrap().block_size = bytes;
    }

    /// Makes `fake` answer `ebs:ListChangedBlocks` and `ebs:ListSnapshotBlocks`.
    pub fn serve(&self, fake: &FakeAws) {
        let this = self.clone();
        fake.on_call("ebs:ListChangedBlocks", move |request| {
            let state = this.0.lock().unwrap();
            state
                .list_changed_blocks(request)
                .unwrap_or_else(|refusal| refusal)
        });
        let this = self.clone();
        fake.on_call("ebs:ListSnapshotBlocks", move |request| {
            let state = this.0.lock().unwrap();
            state
                .list_snapshot_blocks(request)
                .unwrap_or_else(|refusal| refusal)
        });
    }
}

impl State {
    fn list_changed_blocks(&self, request: &Request) -> Result<Reply, Reply> {
        let second = self.find(snapshot_of(request))?;
        let nothing = BTreeMap::new();
        let first = match request.param("firstSnapshotId") {
            Some(id) => {
                let first = self.find(id)?;
                if first.volume != second.volume {
                    let message = "The specified snapshots are unrelated (UNRELATED_SNAPSHOTS)";
                    return Err(invalid(message));
                }
                &first.blocks
            }
            None => &nothing,
        };
        let indices = first.keys().chain(second.blocks.keys());
        let mut changed: Vec<u64> = indices
            .copied()
            .filter(|index| first.get(index) != second.blocks.get(index))
            .collect();
        changed.sort_unstable();
        changed.dedup();
        let block = |index: u64| {
            let mut block = json!({"BlockIndex": index});
            if let Some(content) = first.get(&index) {
                block["FirstBlockToken"] = token(*content).into();
            }
            if let Some(content) = second.blocks.get(&index) {
                block["SecondBlockToken"] = token(*content).into();
            }
            block
        };
        self.page(request, second, "ChangedBlocks", &changed, block)
    }

    fn list_snapshot_blocks(&self, request: &Request) -> Result<Reply, Reply> {
        let found = self.find(snapshot_of(request))?;
        let indices: Vec<u64> = found.blocks.keys().copied().collect();
        let block =
            |index: u64| json!({"BlockIndex": index, "BlockToken": token(found.blocks[&index])});
        self.page(request, found, "Blocks", &indices, block)
    }

    fn find(&self, id: &str) -> Result<&Blocks, Reply> {
        self.snapshots.get(id).ok_or_else(|| {
            let message = format!("The snapshot '{id}' does not exist (SNAPSHOT_NOT_FOUND).");
            Reply::error(404, "ResourceNotFoundException", message)
        })
    }

    /// One page of blocks, which are in the order of their indices.
    fn page(
        &self,
        request: &Request,
        snapshot: &Blocks,
        list: &str,
        indices: &[u64],
        block: impl Fn(u64) -> Value,
    ) -> Result<Reply, Reply> {
        let number = |name: &str| -> Result<Option<u64>, Reply> {
            let text = request.param(name);
            let number = text.map(|text| text.parse().map_err(|_| invalid(name)));
            number.transpose()
        };
        let asked = number("maxResults")?.unwrap_or(10_000);
        if !(100..=10_000).contains(&asked) {
            return Err(invalid("maxResults must be between 100 and 10000"));
        }
        // A token wins over the index to start at.
        let start = number("pageToken")?.or(number("startingBlockIndex")?);
        let start = start.unwrap_or(0);
        let limit = usize::try_from(asked).map_or(self.page_size, |n| n.min(self.page_size));
        let mut left = indices.iter().copied().filter(|index| *index >= start);
        let shown: Vec<Value> = left.by_ref().take(limit).map(block).collect();
        let mut answer = json!({
            list: shown,
            "ExpiryTime": 4_102_444_800.0,
            "VolumeSize": snapshot.size,
            "BlockSize": self.block_size,
        });
        if let Some(next) = left.next() {
            answer["NextToken"] = next.to_string().into();
        }
        Ok(Reply::json(&answer))
    }
}

/// The snapshot in the path: `/snapshots/snap-…/blocks`.
fn snapshot_of(request: &Request) -> &str {
    request.path.split('/').nth(2).unwrap_or("")
}

fn token(content: u64) -> String {
    format!("token-{content}")
}

fn invalid(message: &str) -> Reply {
    Reply::error(400, "ValidationException", message)
}
