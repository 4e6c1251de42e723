//! Builds and tests.

use super::provider::Kind::{ArtifactName, BuildVariables, Number, OneOf};
use super::provider::Need::{Always, Optional, SeveralInputs};
use super::provider::{Provider, may, must, of_aws, setting, switch};

pub(super) static ALL: &[Provider] = &[
    of_aws(
        &["Build", "Test"],
        "CodeBuild",
        &[
            must("ProjectName"),
            setting("PrimarySource", SeveralInputs, ArtifactName),
            switch("BatchEnabled"),
            switch("CombineArtifacts"),
            setting("EnvironmentVariables", Optional, BuildVariables),
        ],
    )
    .takes((1, 5), (0, 5)),
    of_aws(
        &["Build"],
        "ECRBuildAndPublish",
        &[
            must("ECRRepositoryName"),
            may("DockerFilePath"),
            may("ImageTags"),
            setting("RegistryType", Optional, OneOf(&["private", "public"])),
        ],
    )
    .takes((1, 1), (0, 0)),
    of_aws(
        &["Test"],
        "DeviceFarm",
        &[
            setting("AppType", Always, OneOf(&["iOS", "Android"])),
            must("ProjectId"),
            must("App"),
            may("AppiumVersion"),
            must("DevicePoolArn"),
            must("TestType"),
            switch("RadioBluetoothEnabled"),
            switch("RecordAppPerformanceData"),
            switch("RecordVideo"),
            switch("RadioWifiEnabled"),
            switch("RadioNfcEnabled"),
            switch("RadioGpsEnabled"),
            may("Test"),
            setting("FuzzEventCount", Optional, Number(1, 10_000)),
            setting("FuzzEventThrottle", Optional, Number(1, 1_000)),
            may("FuzzRandomizerSeed"),
            may("CustomHostMachineArtifacts"),
            may("CustomDeviceArtifacts"),
            switch("UnmeteredDevicesOnly"),
            setting("JobTimeoutMinutes", Optional, Number(1, u32::MAX)),
            may("Latitude"),
            may("Longitude"),
        ],
    )
    .takes((1, 1), (0, 0)),
];
