//! The IAM statements of a stack, wherever they stand.

use serde_json::Value;

use crate::stack::Stack;

/// A statement that allows something.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The logical id of the role, policy or managed policy.
    pub owner: String,
    /// The policy's name; empty for a managed policy.
    pub policy: String,
    /// The statement's `Sid`; empty without.
    pub sid: String,
    /// Its actions.
    pub actions: Vec<String>,
    /// Its resources.
    pub resources: Vec<String>,
    /// Its condition; null without.
    pub condition: Value,
}

/// Every statement that allows something and exists with the stack's values.
///
/// # Errors
/// When a policy cannot be resolved.
pub fn allowing(stack: &Stack) -> Result<Vec<Statement>, String> {
    let mut all = Vec::new();
    for id in stack.ids("AWS::IAM::Role")? {
        let properties = stack.properties(&id)?;
        for policy in items(&properties["Policies"]) {
            let name = policy["PolicyName"].as_str().unwrap_or_default();
            all.extend(read(&id, name, &policy["PolicyDocument"]));
        }
    }
    for kind in ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"] {
        for id in stack.ids(kind)? {
            let properties = stack.properties(&id)?;
            let name = properties["PolicyName"].as_str().unwrap_or_default();
            all.extend(read(&id, name, &properties["PolicyDocument"]));
        }
    }
    Ok(all)
}

/// The trust of every role: its logical id and the statements of its trust policy.
///
/// # Errors
/// When one cannot be resolved.
pub fn trusts(stack: &Stack) -> Result<Vec<(String, Vec<Value>)>, String> {
    let mut all = Vec::new();
    for id in stack.ids("AWS::IAM::Role")? {
        let properties = stack.properties(&id)?;
        let statements = items(&properties["AssumeRolePolicyDocument"]["Statement"]);
        all.push((id, statements.to_vec()));
    }
    Ok(all)
}

fn read(owner: &str, policy: &str, document: &Value) -> Vec<Statement> {
    items(&document["Statement"])
        .iter()
        .filter(|statement| statement["Effect"] == "Allow")
        .map(|statement| Statement {
            owner: owner.to_owned(),
            policy: policy.to_owned(),
            sid: statement["Sid"].as_str().unwrap_or_default().to_owned(),
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            condition: statement["Condition"].clone(),
        })
        .collect()
}

/// The items of a list; one thing that is no list is a list of one.
fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// The texts of a list, or the one text.
fn texts(value: &Value) -> Vec<String> {
    items(value)
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
