//! `alarms.yml`: the topic, the budget, and the alarm that exists in one region only.

use std::path::Path;

use serde_json::json;

use crate::faults::Faults;
use crate::stack::Stack;

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    let alarms = Stack::load(folder, "alarms.yml")?;
    let budget = alarms.properties("Budget")?;
    // Both tags: each environment has a budget of its own.
    let tag = |key: &str, value: &str| json!({"Tags": {"Key": key, "Values": [value], "MatchOptions": ["EQUALS"]}});
    let both = json!({"And": [tag("Project", "rag-app"), tag("Environment", "dev")]});
    let counted = &budget["Budget"]["FilterExpression"];
    faults.equal("what the budget counts", counted, both);
    let per = [
        &budget["Budget"]["TimeUnit"],
        &budget["Budget"]["BudgetType"],
        &budget["Budget"]["BudgetLimit"]["Amount"],
    ];
    faults.equal("the budget", &json!(per), json!(["MONTHLY", "COST", "600"]));
    let notifications = budget["NotificationsWithSubscribers"].as_array().cloned();
    let told: Vec<_> = notifications
        .unwrap_or_default()
        .iter()
        .map(|one| {
            let when = &one["Notification"];
            json!([
                when["NotificationType"],
                when["Threshold"],
                when["ThresholdType"],
                one["Subscribers"]
            ])
        })
        .collect();
    let topic = json!([{"SubscriptionType": "SNS", "Address": "Topic"}]);
    let expected = json!([
        ["ACTUAL", "80", "PERCENTAGE", topic],
        ["FORECASTED", "100", "PERCENTAGE", topic],
    ]);
    faults.equal("who hears of the budget", &json!(told), expected);
    let exists = |region: &str| alarms.in_region(region).exists("EstimatedCharges");
    faults.equal(
        "billing alarm in us-east-1",
        &exists("us-east-1")?.into(),
        true,
    );
    faults.equal(
        "billing alarm elsewhere",
        &exists("eu-central-1")?.into(),
        false,
    );
    let charges = alarms.properties("EstimatedCharges")?;
    faults.equal(
        "billing alarm's topic",
        &charges["AlarmActions"],
        json!(["Topic"]),
    );
    faults.equal(
        "what the billing alarm looks at",
        &json!([
            charges["Namespace"],
            charges["MetricName"],
            charges["Dimensions"],
            charges["Statistic"],
            charges["ComparisonOperator"],
            charges["Threshold"],
        ]),
        json!([
            "AWS/Billing",
            "EstimatedCharges",
            [{"Name": "Currency", "Value": "USD"}],
            "Maximum",
            "GreaterThanThreshold",
            "1000",
        ]),
    );
    let subscription = alarms.properties("Subscription")?;
    faults.equal(
        "topic of the subscription",
        &subscription["TopicArn"],
        "Topic",
    );
    Ok(())
}
