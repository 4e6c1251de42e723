//! How a new image comes, broken: update strategies, hooks and the signal.

use super::APP;
use crate::broken::Change;

pub(in crate::broken) const RESOLVED: &[Change] = &[
    (
        "update policy (rolling)",
        APP,
        "MinInstancesInService: 1",
        "MinInstancesInService: 0",
    ),
    (
        "update policy (rolling)",
        APP,
        "MaxBatchSize: 1",
        "MaxBatchSize: 2",
    ),
    (
        "update policy (rolling)",
        APP,
        "WaitOnResourceSignals: true",
        "WaitOnResourceSignals: false",
    ),
    (
        "update policy (rolling)",
        APP,
        "SuspendProcesses: [HealthCheck, ReplaceUnhealthy",
        "SuspendProcesses: [ReplaceUnhealthy",
    ),
    (
        "update policy (replacing)",
        APP,
        "WillReplace: true",
        "WillReplace: false",
    ),
    (
        "update policy (in-place)",
        APP,
        "MinHealthyPercentage: !If [IsInPlace, 0, 100]",
        "MinHealthyPercentage: !If [IsInPlace, 90, 100]",
    ),
    (
        "lifecycle hooks (refresh)",
        APP,
        "DefaultResult: ABANDON",
        "DefaultResult: CONTINUE",
    ),
    (
        "the script completes a hook that is not there, or not the one that is (refresh)",
        APP,
        "!If [IsRefreshed, '--lifecycle-hook application-answers ', '']",
        "''",
    ),
    (
        "the instance may complete a hook exactly where there is one (in-place)",
        APP,
        "Action: autoscaling:CompleteLifecycleAction",
        "Action: autoscaling:RecordLifecycleActionHeartbeat",
    ),
    (
        "the group follows the launch template in another way (in-place)",
        APP,
        "Version: !GetAtt LaunchTemplate.LatestVersionNumber\n            Overrides:",
        "Version: $Default\n            Overrides:",
    ),
    (
        "the launch template asks for Spot beside a mixed instances policy",
        APP,
        "          - TemplateAsksForSpot\n",
        "          - UsesSpot\n",
    ),
    (
        "overrides is",
        APP,
        "- InstanceType: !Ref InstanceType\n                ImageId: !Ref AMIId\n",
        "- InstanceType: !Ref InstanceType\n",
    ),
    (
        "Spot, in place",
        APP,
        "price-capacity-optimized",
        "lowest-price",
    ),
    (
        "creation policy",
        APP,
        "ResourceSignal: {Count: 1, Timeout: PT30M}",
        "ResourceSignal: {Count: 1, Timeout: PT5M}",
    ),
    ("MaxSize is \"1\"", APP, "MaxSize: '2'", "MaxSize: '1'"),
    (
        "health check is \"EC2\"",
        APP,
        "HealthCheckType: ELB",
        "HealthCheckType: EC2",
    ),
    (
        "grace period",
        APP,
        "HealthCheckGracePeriod: 1800",
        "HealthCheckGracePeriod: 60",
    ),
    (
        "what the group waits for",
        APP,
        "    # A target group without a listener reports its instances as unused.\n    DependsOn: Listener\n",
        "",
    ),
    (
        "signal-health waits 2400s, not less than PT30M",
        APP,
        "--timeout 25m",
        "--timeout 40m",
    ),
    (
        "signal-health gets --url",
        APP,
        "http://127.0.0.1:8001/collection",
        "http://127.0.0.1:8001/",
    ),
    (
        "signal-health gets --resource",
        APP,
        "--resource AutoScalingGroup",
        "--resource LaunchTemplate",
    ),
    (
        "user data does not start signal-health",
        APP,
        "exec /usr/local/bin/signal-health",
        "exec /opt/aws/bin/cfn-signal",
    ),
];
