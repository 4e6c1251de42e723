//! Amazon Inspector as far as a program has an image scanned on demand: StartOnDemandScan, GetOnDemandScanStatus and
//! ListOnDemandScans. What a scan finds is shown by EC2, so that it belongs to an [`Ec2World`], in its home region.
//!
//! What it refuses is what the guide says, where nothing else is said:
//! <https://docs.aws.amazon.com/inspector/latest/user/machine-image-on-demand.html>.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::ec2::{Ec2World, ImageFinding, ImageScan, iso};
use crate::fake_aws::{FakeAws, Reply, Request};

/// How long Inspector keeps the record of a scan.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A shared Inspector; clones are the same one.
#[derive(Clone)]
pub struct Inspector {
    world: Ec2World,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    scans: Vec<Scan>,
    takes: Duration,
    shown_after: Duration,
    finds: Vec<ImageFinding>,
    /// How the scans that are begun next fail; the last one stays.
    fails: Vec<Option<String>>,
    unlisted: bool,
    page_size: Option<usize>,
}

/// A scan that was asked for.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Such as `00000000000000000000000000000001`.
    pub id: String,
    /// The image's id.
    pub image: String,
    /// `IN_PROGRESS`, `SUCCESSFUL` or `FAILED`.
    pub status: String,
    /// Why it failed.
    pub reason: Option<String>,
    token: Option<String>,
    started: SystemTime,
    ends: SystemTime,
    fails: Option<String>,
}

impl Scan {
    fn json(&self) -> Value {
        let mut scan = json!({
            "scanId": self.id,
            "resourceId": self.image,
            "resourceType": "AMI",
            "scanStatus": self.status,
            "startedAt": iso(self.started),
        });
        if self.status != "IN_PROGRESS" {
            scan["completedAt"] = iso(self.ends).into();
        }
        if let Some(reason) = &self.reason {
            scan["scanStatusReason"] = reason.as_str().into();
        }
        scan
    }
}

type Operation = fn(&Inspector, &mut State, &Request) -> Result<Value, Reply>;

const OPERATIONS: [(&str, Operation); 3] = [
    ("StartOnDemandScan", Inspector::start),
    ("GetOnDemandScanStatus", Inspector::status),
    ("ListOnDemandScans", Inspector::list),
];

impl Inspector {
    /// An Inspector of the images of a world; a scan is done at once, and finds nothing.
    pub fn of(world: &Ec2World) -> Self {
        Self {
            world: world.clone(),
            state: Arc::default(),
        }
    }

    /// Makes `fake` answer the three operations.
    pub fn serve(&self, fake: &FakeAws) {
        for (name, operation) in OPERATIONS {
            let this = self.clone();
            fake.on_call(&format!("inspector2:{name}"), move |request| {
                let mut state = this.state.lock().unwrap();
                this.pass_time(&mut state);
                let answer = operation(&this, &mut state, request);
                answer.map_or_else(|refusal| refusal, |value| Reply::json(&value))
            });
        }
    }

    /// Lets scans that are begun from now on take so long.
    pub fn takes(&self, time: Duration) {
        self.state.lock().unwrap().takes = time;
    }

    /// Lets EC2 show what a scan found only so long after its end.
    pub fn shown_after(&self, time: Duration) {
        self.state.lock().unwrap().shown_after = time;
    }

    /// Decides what the scans find that end from now on.
    pub fn finds(&self, findings: impl IntoIterator<Item = ImageFinding>) {
        self.state.lock().unwrap().finds = findings.into_iter().collect();
    }

    /// Decides how the scans end that are begun from now on, one after the other: well, or with a reason; the last one
    /// stays.
    pub fn ends<'a>(&self, ends: impl IntoIterator<Item = Option<&'a str>>) {
        let ends = ends.into_iter().map(|reason| reason.map(str::to_owned));
        self.state.lock().unwrap().fails = ends.collect();
    }

    /// Leaves scans out of the list until they have ended, as a service that is consistent only in the end does.
    pub fn hides_scans_under_way(&self) {
        self.state.lock().unwrap().unlisted = true;
    }

    /// Lists at most so many scans in an answer.
    pub fn page_size(&self, scans: usize) {
        self.state.lock().unwrap().page_size = Some(scans);
    }

    /// Every scan as it is now, in the order in which they were begun.
    pub fn scans(&self) -> Vec<Scan> {
        let mut state = self.state.lock().unwrap();
        self.pass_time(&mut state);
        state.scans.clone()
    }

    /// Lets scans end, and EC2 show what they found.
    fn pass_time(&self, state: &mut State) {
        let now = self.world.now();
        state.scans.retain(|scan| scan.ends + KEPT > now);
        let images = self.world.images();
        let shown_after = state.shown_after;
        for scan in &mut state.scans {
            let is_over = scan.ends <= now;
            if scan.status != "IN_PROGRESS" {
                continue;
            }
            if !images.iter().any(|image| image.id == scan.image) {
                "FAILED".clone_into(&mut scan.status);
                scan.reason = Some("RESOURCE_TERMINATED".to_owned());
            } else if is_over && let Some(reason) = scan.fails.clone() {
                "FAILED".clone_into(&mut scan.status);
                scan.reason = Some(reason);
            } else if is_over {
                "SUCCESSFUL".clone_into(&mut scan.status);
                let found = ImageScan {
                    at: scan.ends,
                    shown_from: scan.ends + shown_after,
                    findings: state.finds.clone(),
                };
                self.world
                    .change_image(&scan.image, |image| image.scans.push(found));
            }
        }
    }

    fn start(&self, state: &mut State, request: &Request) -> Result<Value, Reply> {
        let asked = request.json();
        let image = resource(&asked)?;
        let token = asked["clientToken"].as_str().map(str::to_owned);
        let mut scans = state.scans.iter();
        if let Some(scan) = scans.find(|scan| token.is_some() && scan.token == token) {
            return Ok(json!({"scanId": scan.id}));
        }
        let images = self.world.images();
        let Some(found) = images.iter().find(|found| found.id == image) else {
            // How Inspector refuses an image that is not there is unproven.
            let message = format!("{image} does not exist");
            return Err(Reply::error(400, "ValidationException", message));
        };
        if found.owner != crate::ec2::ACCOUNT {
            let message = format!("{image} is of another account");
            return Err(Reply::error(403, "AccessDeniedException", message));
        }
        let mut scans = state.scans.iter();
        if scans.any(|scan| scan.image == image && scan.status == "IN_PROGRESS") {
            let message = format!("A scan of {image} is in progress");
            return Err(Reply::error(409, "ConflictException", message));
        }
        let started = self.world.now();
        let scan = Scan {
            id: format!("{:032x}", state.scans.len() + 1),
            image: image.to_owned(),
            status: "IN_PROGRESS".to_owned(),
            reason: None,
            token,
            started,
            ends: started + state.takes,
            fails: next(&mut state.fails),
        };
        let id = scan.id.clone();
        state.scans.push(scan);
        Ok(json!({"scanId": id}))
    }

    fn status(&self, state: &mut State, request: &Request) -> Result<Value, Reply> {
        let asked = request.json();
        let image = resource(&asked)?;
        let id = asked["scanId"].as_str().unwrap_or_default();
        let mut scans = state.scans.iter();
        let found = scans.find(|scan| scan.id == id && scan.image == image);
        found.map(Scan::json).ok_or_else(|| {
            let message = format!("There is no scan {id} of {image}");
            Reply::error(404, "ResourceNotFoundException", message)
        })
    }

    /// The most recent scan comes first.
    fn list(&self, state: &mut State, request: &Request) -> Result<Value, Reply> {
        let asked = request.json();
        let image = resource(&asked)?;
        let of_image = state.scans.iter().rev().filter(|scan| scan.image == image);
        let listed = of_image.filter(|scan| !state.unlisted || scan.status != "IN_PROGRESS");
        let listed: Vec<Value> = listed.map(Scan::json).collect();
        let start = asked["nextToken"]
            .as_str()
            .and_then(|text| text.parse().ok());
        let start: usize = start.unwrap_or(0);
        let end = start.saturating_add(state.page_size.unwrap_or(usize::MAX));
        let items: Vec<&Value> = listed.iter().take(end).skip(start).collect();
        let mut answer = json!({"items": items});
        if end < listed.len() {
            answer["nextToken"] = end.to_string().into();
        }
        Ok(answer)
    }
}

/// The image that a request is about.
fn resource(asked: &Value) -> Result<&str, Reply> {
    let is_image = asked["resourceType"] == "AMI";
    let id = asked["resourceId"].as_str().filter(|_| is_image);
    id.ok_or_else(|| {
        let message = "resourceId and resourceType must be given";
        Reply::error(400, "ValidationException", message)
    })
}

fn next(fails: &mut Vec<Option<String>>) -> Option<String> {
    match fails.len() {
        0 => None,
        1 => fails[0].clone(),
        _ => fails.remove(0),
    }
}
