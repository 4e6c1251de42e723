//! A small EC2 that keeps instances, images and snapshots, and refuses what EC2 refuses.
//!
//! Time is counted in readings: an image is `pending` for so many DescribeImages calls that show
//! it. With [`Ec2World::clock`] and [`Outcome::Timed`] it is counted in time. Every region has
//! resources of its own; a request belongs to the region it is signed for.
//!
//! Nothing here is shared with the programs; messages and codes are EC2's own, from
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>. Where no source
//! was found for a code, the place says so.

mod copies;
mod course;
mod create;
mod decisions;
mod filters;
mod findings;
mod images;
mod instances;
mod provenance;
mod references;
mod removal;
mod snapshots;
mod spot;
mod tags;
mod usage_reports;
mod warm;

pub(super) use self::usage_reports::{Recycled, UsageReport};

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use self::course::UnderWay;
use super::time::iso;
use super::{Image, Instance, LaunchTemplate, Outcome, Snapshot};
use crate::fake_aws::{FakeAws, Reply, Request};

/// The account that owns everything unless a test says otherwise.
pub(crate) const ACCOUNT: &str = "123456789012";

/// The region that [`crate::Program`] runs in.
const HOME: &str = "eu-west-1";

/// A shared EC2; clones are the same one.
#[derive(Clone, Default)]
pub struct Ec2World(Arc<Mutex<State>>);

/// What has happened so far, and the rules of what will.
struct State {
    /// The region of unsigned requests and of the methods that name none.
    home: String,
    /// The region that `here` is.
    name: String,
    /// The resources of the region that is asked.
    here: Region,
    elsewhere: BTreeMap<String, Region>,
    /// How many images were created or copied, in all regions.
    created: u32,
    rules: Rules,
}

/// The resources of one region.
#[derive(Default)]
struct Region {
    instances: Vec<Instance>,
    images: Vec<Image>,
    snapshots: Vec<Snapshot>,
    templates: Vec<LaunchTemplate>,
    /// Image, resource type and ARN.
    references: Vec<(String, String, String)>,
    /// Images on their way.
    under_way: HashMap<String, UnderWay>,
    /// How many readings an instance still is `pending` or `stopping`.
    moving: HashMap<String, u32>,
    /// The image that each client token of CopyImage made, and what was asked for.
    copies: HashMap<String, (String, Vec<(String, String)>)>,
    /// What DeregisterImage says of snapshots that it cannot delete, and whether DeleteSnapshot
    /// cannot either.
    undeletable: HashMap<String, (String, bool)>,
    /// Who uses an image: account, resource type and number.
    usage: HashMap<String, Vec<(String, String, u32)>>,
    usage_reports: Vec<UsageReport>,
    recycled: Vec<Recycled>,
    /// Snapshots that belong to no image, and are pending.
    on_their_way: Vec<warm::OnItsWay>,
}

/// What a test has decided.
struct Rules {
    /// What becomes of the images created next; the last one stays.
    outcomes: Vec<Outcome>,
    /// What becomes of the images copied next; the last one stays.
    copy_outcomes: Vec<Outcome>,
    /// How many readings do not show a new image yet.
    invisible_polls: u32,
    /// How often CreateTags does not know a new image or its snapshots yet.
    untaggable: u32,
    /// How often DeleteSnapshot takes a snapshot for one of the image that is just gone.
    lingering_use: u32,
    hides_mapping: bool,
    /// How many readings an instance needs to start, and to stop.
    start_polls: u32,
    stop_polls: u32,
    /// How many items an answer lists before it needs another page.
    page_size: Option<usize>,
    /// Whether the name of a failed image may be used again.
    failed_free_names: bool,
    /// The operations that are carried out although DryRun says that they shall not be.
    carried_out: Vec<String>,
    /// For how many looks a usage report is pending, and why there will be none.
    report_looks: u32,
    report_error: Option<String>,
    /// How long the Recycle Bin keeps images; there is none without.
    recycle_bin: Option<Duration>,
    /// How long a snapshot by CreateSnapshots takes, and whether it fails then.
    snapshots_take: Duration,
    snapshots_fail: bool,
    /// The key that AWS manages for EBS.
    default_key: Option<String>,
    /// The types of zones, such as `local-zone`; every other one is an Availability Zone.
    zone_types: BTreeMap<String, String>,
    /// Time since the beginning; it stands still without.
    clock: Option<Clock>,
    /// When that was.
    start_of_time: SystemTime,
}

type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The XML of an answer, or the error.
type Answer = Result<String, Reply>;

/// What an operation does to the world.
type Operation = fn(&mut State, &Request) -> Answer;

const OPERATIONS: [(&str, Operation); 30] = [
const OPERATIONS: [(&str, Operation); 28] = [
    ("DescribeInstances", State::describe_instances),
    ("DescribeVolumes", State::describe_volumes),
    ("StartInstances", State::start_instances),
    ("StopInstances", State::stop_instances),
    ("CreateImage", State::create_image),
    ("CreateSnapshots", State::create_snapshots),
    ("CopyImage", State::copy_image),
    ("DescribeImages", State::describe_images),
    ("EnableImageDeprecation", State::enable_image_deprecation),
    ("DisableImage", State::disable_image),
    ("DescribeImageAttribute", State::describe_image_attribute),
    ("ModifyImageAttribute", State::modify_image_attribute),
    ("DescribeSnapshots", State::describe_snapshots),
    ("ModifySnapshotAttribute", State::modify_snapshot_attribute),
    ("CreateTags", State::create_tags),
    ("DeleteTags", State::delete_tags),
    ("DeregisterImage", State::deregister_image),
    ("DeleteSnapshot", State::delete_snapshot),
    ("DescribeImageReferences", State::describe_image_references),
    ("DescribeLaunchTemplates", State::describe_launch_templates),
    (
        "DescribeLaunchTemplateVersions",
        State::describe_launch_template_versions,
    ),
    ("CreateImageUsageReport", State::create_image_usage_report),
    (
        "DescribeImageUsageReports",
        State::describe_image_usage_reports,
    ),
    (
        "DescribeImageUsageReportEntries",
        State::describe_image_usage_report_entries,
    ),
    (
        "EnableImageDeregistrationProtection",
        State::enable_image_deregistration_protection,
    ),
    (
        "ReplaceImageInstanceTypeSpecification",
        State::replace_image_instance_type_specification,
    ),
    ("GetImageFindings", State::get_image_findings),
    ("ListImagesInRecycleBin", State::list_images_in_recycle_bin),
    ("AttachImageWatermark", State::attach_image_watermark),
    ("GetImageAncestry", State::get_image_ancestry),
    (
        "DescribeAvailabilityZones",
        State::describe_availability_zones,
    ),
];

impl Default for State {
    fn default() -> Self {
        Self {
            home: HOME.to_owned(),
            name: HOME.to_owned(),
            here: Region::default(),
            elsewhere: BTreeMap::new(),
            created: 0,
            rules: Rules {
                outcomes: Vec::new(),
                copy_outcomes: Vec::new(),
                invisible_polls: 0,
                untaggable: 0,
                lingering_use: 0,
                hides_mapping: false,
                start_polls: 0,
                stop_polls: 0,
                page_size: None,
                failed_free_names: false,
                carried_out: Vec::new(),
                report_looks: 0,
                report_error: None,
                recycle_bin: None,
                snapshots_take: Duration::ZERO,
                snapshots_fail: false,
                default_key: None,
                zone_types: BTreeMap::new(),
                clock: None,
                start_of_time: SystemTime::now(),
            },
        }
    }
}

/// What is in it.
impl Ec2World {
    /// An EC2 with nothing in it; an image that is created is available at the second reading.
    pub fn new() -> Self {
        Self::default()
    }

    /// An EC2 that holds `instances`.
    pub fn with(instances: impl IntoIterator<Item = Instance>) -> Self {
        let world = Self::new();
        world.state().here.instances.extend(instances);
        world
    }

    /// Changes the region of unsigned requests and of the methods that name none, `eu-west-1`.
    /// To be called before anything is added.
    pub fn home(&self, region: &str) {
        let mut state = self.state();
        region.clone_into(&mut state.home);
        region.clone_into(&mut state.name);
    }

    /// Adds an instance.
    pub fn add_instance(&self, instance: Instance) {
        self.state().here.instances.push(instance);
    }

    /// Adds an image with those of its snapshots that are not there yet.
    pub fn add_image(&self, image: Image) {
        self.state().add_image(image);
    }

    /// Adds an image to another region.
    pub fn add_image_in(&self, region: &str, image: Image) {
        self.state_in(region).add_image(image);
    }

    /// Adds a snapshot.
    pub fn add_snapshot(&self, snapshot: Snapshot) {
        self.state().here.snapshots.push(snapshot);
    }

    /// Takes a snapshot away, as somebody else may.
    pub fn remove_snapshot(&self, id: &str) {
        self.state().here.snapshots.retain(|one| one.id != id);
    }

    /// Adds a launch template.
    pub fn add_launch_template(&self, template: LaunchTemplate) {
        self.state().here.templates.push(template);
    }

    /// Lets DescribeImageReferences say that a resource refers to an image: a type such as
    /// `ec2:Instance`, `ec2:LaunchTemplate` or `ssm:Parameter`, and the resource's ARN.
    pub fn reference(&self, image: &str, resource_type: &str, arn: &str) {
        let found = (image.to_owned(), resource_type.to_owned(), arn.to_owned());
        self.state().here.references.push(found);
    }

    /// Changes an instance in the middle of a test.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn change_instance(&self, id: &str, change: impl FnOnce(&mut Instance)) {
        let mut state = self.state();
        let mut instances = state.here.instances.iter_mut();
        let found = instances.find(|instance| instance.id == id);
        change(found.expect("an instance of the world"));
    }

    /// Changes an image in the middle of a test.
    ///
    /// # Panics
    /// When there is no such image.
    pub fn change_image(&self, id: &str, change: impl FnOnce(&mut Image)) {
        let mut state = self.state();
        let mut images = state.here.images.iter_mut();
        let found = images.find(|image| image.id == id);
        change(found.expect("an image of the world"));
    }

    /// Changes a snapshot in the middle of a test.
    ///
    /// # Panics
    /// When there is no such snapshot.
    pub fn change_snapshot(&self, id: &str, change: impl FnOnce(&mut Snapshot)) {
        let mut state = self.state();
        let mut snapshots = state.here.snapshots.iter_mut();
        let found = snapshots.find(|snapshot| snapshot.id == id);
        change(found.expect("a snapshot of the world"));
    }

    /// Every instance as it is now.
    pub fn instances(&self) -> Vec<Instance> {
        self.state().here.instances.clone()
    }

    /// Every image as it is now, without the deregistered.
    pub fn images(&self) -> Vec<Image> {
        self.state().here.images.clone()
    }

    /// Every image of a region as it is now.
    pub fn images_in(&self, region: &str) -> Vec<Image> {
        self.state_in(region).here.images.clone()
    }

    /// Every snapshot as it is now, without the deleted.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        self.state().here.snapshots.clone()
    }

    /// Every snapshot of a region as it is now.
    pub fn snapshots_in(&self, region: &str) -> Vec<Snapshot> {
        self.state_in(region).here.snapshots.clone()
    }

    /// The time in this world.
    pub fn now(&self) -> SystemTime {
        self.state().rules.now()
    }
}

/// How it answers.
impl Ec2World {
    /// Makes `fake` answer EC2's operations out of this world. Scripts registered afterwards, or
    /// with [`FakeAws::first`], take precedence.
    pub fn serve(&self, fake: &FakeAws) {
        for (name, operation) in OPERATIONS {
            let world = self.clone();
            fake.on_call(&format!("ec2:{name}"), move |request| {
                let mut state = match request.region() {
                    Some(region) => world.state_in(&region),
                    None => world.state(),
                };
                let carries_out = state.rules.carried_out.iter().any(|one| one == name);
                let asked = match carries_out {
                    true => &request.without("DryRun"),
                    false => request,
                };
                operation(&mut state, asked).map_or_else(|refusal| refusal, Reply::xml)
            });
        }
    }

    /// What CreateImage does of `request`, for a test that changes what was asked.
    pub fn create_image(&self, request: &Request) -> Reply {
        let made = self.state().create_image(request);
        made.map_or_else(|refusal| refusal, Reply::xml)
    }

    /// What CopyImage into the home region does of `request`, likewise.
    pub fn copy_image(&self, request: &Request) -> Reply {
        let made = self.state().copy_image(request);
        made.map_or_else(|refusal| refusal, Reply::xml)
    }

    /// The home region, as it is now.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap();
        let home = state.home.clone();
        state.enter(&home);
        state
    }

    /// Another region, as it is now.
    fn state_in(&self, region: &str) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap();
        state.enter(region);
        state
    }
}

impl State {
    /// Makes `region` the one that is asked, and lets its time go by.
    fn enter(&mut self, region: &str) {
        if self.name != region {
            let next = self.elsewhere.remove(region).unwrap_or_default();
            let left = mem::replace(&mut self.here, next);
            let name = mem::replace(&mut self.name, region.to_owned());
            self.elsewhere.insert(name, left);
        }
        self.pass_time();
    }

    fn add_image(&mut self, image: Image) {
        for (_, id, size) in &image.devices {
            let Some(id) = id else { continue };
            if self.here.snapshots.iter().any(|found| found.id == *id) {
                continue;
            }
            self.here.snapshots.push(Snapshot {
                owner: image.owner.clone(),
                tags: image.tags.clone(),
                started: image.created.clone(),
                completed: Some(image.created.clone()),
                size: *size,
                ..Snapshot::completed(id)
            });
        }
        self.here.images.push(image);
    }

    fn instance(&self, id: &str) -> Result<&Instance, Reply> {
        if !id.starts_with("i-") {
            let message = format!("Invalid id: \"{id}\"");
            return Err(Reply::error(400, "InvalidInstanceID.Malformed", message));
        }
        let mut instances = self.here.instances.iter();
        instances.find(|instance| instance.id == id).ok_or_else(|| {
            let message = format!("The instance ID '{id}' does not exist");
            Reply::error(400, "InvalidInstanceID.NotFound", message)
        })
    }

    fn image(&mut self, id: &str) -> Result<&mut Image, Reply> {
        let mut images = self.here.images.iter_mut();
        images
            .find(|image| image.id == id)
            .ok_or_else(|| no_image(id))
    }

    fn snapshot(&mut self, id: &str) -> Result<&mut Snapshot, Reply> {
        let mut snapshots = self.here.snapshots.iter_mut();
        snapshots.find(|snapshot| snapshot.id == id).ok_or_else(|| {
            let message = format!("The snapshot '{id}' does not exist.");
            Reply::error(400, "InvalidSnapshot.NotFound", message)
        })
    }
}

impl Rules {
    fn elapsed(&self) -> Duration {
        self.clock.as_ref().map_or(Duration::ZERO, |clock| clock())
    }

    fn now(&self) -> SystemTime {
        self.start_of_time + self.elapsed()
    }

    /// The time so long after the beginning, as EC2 writes it.
    fn written(&self, elapsed: Duration) -> String {
        iso(self.start_of_time + elapsed)
    }
}

/// The next of `outcomes`; the last one stays.
fn next_outcome(outcomes: &mut Vec<Outcome>) -> Outcome {
    match outcomes.len() {
        0 => Outcome::Available { after_polls: 1 },
        1 => outcomes[0].clone(),
        _ => outcomes.remove(0),
    }
}

fn no_image(id: &str) -> Reply {
    let message = format!("The image id '[{id}]' does not exist");
    Reply::error(400, "InvalidAMIID.NotFound", message)
}

/// EC2 answers a permitted dry run with this error.
fn refuse_dry_run(request: &Request) -> Result<(), Reply> {
    if request.flag("DryRun") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Reply::error(412, "DryRunOperation", message));
    }
    Ok(())
}

/// EC2 names every parameter that it misses in the same words.
fn missing(parameter: &str) -> Reply {
    let message = format!("The request must contain the parameter {parameter}");
    Reply::error(400, "MissingParameter", message)
}
