//! What happens in a run: how long the image takes and how it ends, which replies go wrong, when a
//! signal comes.

use harness::ec2::{Course, Outcome, Progress};
use proptest::prelude::*;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    NoReboot,
    Reboot,
    Stop,
    Quiesce,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Throttled,
    Internal,
    Html,
    Closed,
    Hangs,
    Unauthorized,
    /// EC2 does it, and its reply is lost.
    Lost,
    /// EC2 does it, and answers after five minutes.
    Late,
}

/// How the image's scan gets on.
#[derive(Debug, Clone)]
pub(crate) struct Scanning {
    /// Whether an image whose findings count is refused.
    pub(crate) gates: bool,
    /// Whether it has one that counts, among many that do not.
    pub(crate) finds: bool,
    pub(crate) takes: Duration,
    /// How long EC2 does not show what was found.
    pub(crate) shown_after: Duration,
    /// How the scans fail, one after the other; the last one stays.
    pub(crate) ends: Vec<Option<&'static str>>,
    /// Whether an image that does not pass is removed.
    pub(crate) cleans: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) mode: Mode,
    pub(crate) volumes: usize,
    pub(crate) course: Outcome,
    /// Whether somebody else deregisters the image.
    pub(crate) image_vanishes: bool,
    pub(crate) hidden_for: u32,
    pub(crate) mapping_hidden: bool,
    pub(crate) failed_names_are_free: bool,
    /// The n-th call of an operation (any operation: `*`), and what goes wrong with it.
    pub(crate) faults: Vec<(String, usize, Fault)>,
    /// How often the SDK tries a call: `AWS_MAX_ATTEMPTS`.
    pub(crate) attempts: u32,
    pub(crate) signal_at: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) clean_on_timeout: bool,
    pub(crate) tags_after: bool,
    pub(crate) copy: Option<Outcome>,
    pub(crate) retention: bool,
    /// Whether there is a warm start before.
    pub(crate) warm: bool,
    /// Whether the image is encrypted, by a copy within its Region.
    pub(crate) encrypts: bool,
    /// Whether the image is shared with an account and written to a parameter.
    pub(crate) published: bool,
    /// Whether deregistration protection is asked for.
    pub(crate) protected: bool,
    /// Whether another account uses the image that retention looks at; it is shared.
    pub(crate) earlier_is_used: bool,
    pub(crate) lease_first: bool,
    /// Whether a watermark is attached.
    pub(crate) watermarked: bool,
    /// Whether the image must descend from the one that the instance was started from; it does.
    pub(crate) must_descend: bool,
    pub(crate) scan: Option<Scanning>,
}

impl History {
    /// Nothing goes wrong.
    pub(crate) fn plain() -> Self {
        Self {
            mode: Mode::NoReboot,
            volumes: 1,
            course: Course::available(Duration::from_secs(60)).into(),
            image_vanishes: false,
            hidden_for: 0,
            mapping_hidden: false,
            failed_names_are_free: false,
            faults: Vec::new(),
            attempts: 10,
            signal_at: None,
            timeout: Duration::from_secs(6 * 3600),
            clean_on_timeout: false,
            tags_after: false,
            copy: None,
            retention: false,
            warm: false,
            encrypts: false,
            published: false,
            protected: false,
            earlier_is_used: false,
            lease_first: false,
            watermarked: false,
            must_descend: false,
            scan: None,
        }
    }
}

/// From a second to five hours, the short ones as likely as the long ones.
fn time() -> impl Strategy<Value = Duration> {
    (0.0_f64..1.0).prop_map(|part| Duration::from_secs_f64(18_000_f64.powf(part)))
}

/// How an image gets on, and whether it vanishes.
fn course() -> impl Strategy<Value = (Outcome, bool)> {
    let end = prop_oneof![
        6 => Just("available"),
        2 => Just("failed"),
        1 => Just("disabled"),
        1 => Just("error"),
        1 => Just("never"),
        1 => Just("vanishes"),
        1 => Just("snapshot"),
    ];
    let progress = prop_oneof![
        Just(Progress::linear()),
        Just(Progress::steps(5)),
        Just(Progress::stalls([(0.2, 0.6)])),
    ];
    (end, time(), progress, 0_u64..120).prop_map(|(end, after, progress, gap)| {
        let course = match end {
            "available" => Course::available(after),
            "failed" => Course::failed(after, "Server.InternalError", "internal"),
            "never" => Course::never(after),
            "vanishes" => Course::vanishes(after),
            "snapshot" => Course::failed(after, "Server.InternalError", "internal")
                .snapshot_error("bad block"),
            state => Course::becomes(after, state),
        };
        let course = course.progress(progress).gap(Duration::from_secs(gap));
        (course.into(), end == "vanishes")
    })
}

fn scanning() -> impl Strategy<Value = Scanning> {
    let end = prop_oneof![
        8 => Just(None),
        3 => Just(Some("INTERNAL_ERROR")),
        1 => Just(Some("UNSUPPORTED_OS")),
        1 => Just(Some("ACCESS_DENIED")),
    ];
    let ends = proptest::collection::vec(end, 1..4);
    let late = prop_oneof![3 => Just(0_u64), 1 => 0_u64..4000];
    (any::<[bool; 3]>(), time(), late, ends).prop_map(
        |([gates, finds, cleans], takes, late, ends)| Scanning {
            gates,
            finds,
            takes,
            shown_after: Duration::from_secs(late),
            ends,
            cleans,
        },
    )
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::Throttled),
        2 => Just(Fault::Internal),
        1 => Just(Fault::Html),
        2 => Just(Fault::Closed),
        1 => Just(Fault::Hangs),
        1 => Just(Fault::Unauthorized),
        3 => Just(Fault::Lost),
        1 => Just(Fault::Late),
    ]
}

fn faults() -> impl Strategy<Value = Vec<(String, usize, Fault)>> {
    let operation = prop_oneof![
        3 => Just("ec2:CreateImage"),
        4 => Just("*"),
        2 => Just("ec2:DescribeImages"),
        1 => Just("ec2:DescribeSnapshots"),
        1 => Just("ec2:DeregisterImage"),
        1 => Just("ec2:DeleteSnapshot"),
        1 => Just("ec2:StartInstances"),
        1 => Just("ec2:StopInstances"),
        1 => Just("ec2:CopyImage"),
        1 => Just("ec2:CreateSnapshots"),
        1 => Just("ec2:ModifyImageAttribute"),
        1 => Just("ssm:PutParameter"),
        1 => Just("ec2:EnableImageDeregistrationProtection"),
        1 => Just("ec2:ReplaceImageInstanceTypeSpecification"),
        1 => Just("ec2:AttachImageWatermark"),
        1 => Just("ec2:GetImageAncestry"),
        2 => Just("inspector2:StartOnDemandScan"),
        1 => Just("inspector2:GetOnDemandScanStatus"),
        1 => Just("inspector2:ListOnDemandScans"),
        1 => Just("ec2:GetImageFindings"),
        1 => Just("ec2:CreateImageUsageReport"),
        1 => Just("ec2:DescribeImageUsageReports"),
        1 => Just("ec2:DescribeImageUsageReportEntries"),
    ]
    .prop_map(str::to_owned);
    proptest::collection::vec((operation, 0_usize..12, fault()), 0..7)
}

pub(crate) fn history() -> impl Strategy<Value = History> {
    let mode = prop_oneof![
        Just(Mode::NoReboot),
        Just(Mode::Reboot),
        Just(Mode::Stop),
        Just(Mode::Quiesce),
    ];
    let world = (mode, 1_usize..4, course(), 0_u32..11, any::<[bool; 2]>());
    let end = (
        (faults(), prop_oneof![3 => Just(10_u32), 1 => Just(1)]),
        proptest::option::of(time()),
        time(),
        any::<[bool; 11]>(),
        (
            proptest::option::weighted(0.3, course()),
            proptest::option::weighted(0.3, scanning()),
        ),
    );
    (world, end).prop_map(|(world, end)| {
        let (
            mode,
            volumes,
            (course, image_vanishes),
            hidden_for,
            [mapping_hidden, failed_names_are_free],
        ) = world;
        let (
            (faults, attempts),
            signal_at,
            timeout,
            [
                clean_on_timeout,
                tags_after,
                retention,
                lease_first,
                published,
                protected,
                earlier_is_used,
                watermarked,
                must_descend,
                encrypts,
                warm,
            ],
            (copy, scan),
        ) = end;
        History {
            mode,
            volumes,
            course,
            image_vanishes,
            hidden_for,
            mapping_hidden,
            failed_names_are_free,
            faults,
            attempts,
            signal_at,
            timeout: timeout + Duration::from_secs(10),
            clean_on_timeout,
            tags_after,
            copy: copy.map(|(copy, _)| copy),
            retention,
            warm,
            encrypts,
            published,
            protected,
            earlier_is_used,
            lease_first: lease_first && mode == Mode::Quiesce,
            watermarked,
            must_descend,
            scan,
        }
    })
}
