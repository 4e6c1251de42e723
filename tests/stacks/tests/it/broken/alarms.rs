//! Alarms and the budget, broken.

use super::{Change, Validated};

const ALARMS: &str = "cfn/alarms.yml";

pub(super) const GUARDED: &[Change] = &[
    (
        "topics_are_published_to_by_this_account",
        ALARMS,
        "              StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}\n",
        "",
    ),
    (
        "parameters_are_grouped",
        ALARMS,
        "AWS::CloudFormation::Interface",
        "AWS::CloudFormation::Other",
    ),
    (
        "secrets_are_no_parameters",
        ALARMS,
        "  Email:\n    Type: String\n",
        "  Email:\n    Type: String\n    NoEcho: true\n",
    ),
];

pub(super) const RESOLVED: &[Change] = &[
    (
        "what the budget counts",
        ALARMS,
        "- Tags: {Key: Environment, Values: [!Ref Environment], MatchOptions: [EQUALS]}",
        "- Tags: {Key: Environment, Values: [prod], MatchOptions: [EQUALS]}",
    ),
    (
        "the budget is",
        ALARMS,
        "TimeUnit: MONTHLY",
        "TimeUnit: DAILY",
    ),
    (
        "who hears of the budget",
        ALARMS,
        "Threshold: 80",
        "Threshold: 180",
    ),
    (
        "billing alarm in us-east-1",
        ALARMS,
        "HasBillingMetrics: !Equals [!Ref AWS::Region, us-east-1]",
        "HasBillingMetrics: !Equals [!Ref AWS::Region, us-west-1]",
    ),
    (
        "billing alarm elsewhere",
        ALARMS,
        "    Condition: HasBillingMetrics\n",
        "",
    ),
    (
        "billing alarm's topic",
        ALARMS,
        "AlarmActions: [!Ref Topic]",
        "AlarmActions: []",
    ),
    (
        "what the billing alarm looks at",
        ALARMS,
        "MetricName: EstimatedCharges",
        "MetricName: EstimatedCosts",
    ),
    (
        "topic of the subscription",
        ALARMS,
        "      TopicArn: !Ref Topic\n",
        "      TopicArn: !Ref Email\n",
    ),
];

pub(super) const CHECKED: &[Validated] = &[(
    "checkov",
    "CKV_AWS_26",
    ALARMS,
    "          - id: CKV_AWS_26\n",
    "          - id: CKV_AWS_27\n",
)];
