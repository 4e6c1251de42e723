//! `alarms.yml`: the topic, the budget, and the alarm that exists in one region only.

use std::path::Path;

use serde_json::json;

use crate::faults::Faults;
use crate::stack::Stack;

pub(super) fn look(folder: &Path, faults: &mut Faults) -> Result<(), String> {
    let alarms = Stack::load(folder, "alarms.yml")?;
    let budget = alarms.properties("Budget")?;
    let filter = &budget["Budget"]["CostFilters"];
    let tag = json!({"TagKeyValue": ["user:Project$rag-app"]});
    faults.equal("what the budget counts", filter, tag);
    let notifications = budget["NotificationsWithSubscribers"].as_array().cloned();
    let told: Vec<_> = notifications
        .unwrap_or_default()
        .iter()
        .map(|one| json!([one["Notification"]["NotificationType"], one["Subscribers"]]))
        .collect();
    let topic = json!([{"SubscriptionType": "SNS", "Address": "Topic"}]);
    let expected = json!([["ACTUAL", topic], ["FORECASTED", topic]]);
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
    let subscription = alarms.properties("Subscription")?;
    faults.equal(
        "topic of the subscription",
        &subscription["TopicArn"],
        "Topic",
    );
    Ok(())
}
