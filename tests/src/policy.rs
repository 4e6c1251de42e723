//! What a policy in a template grants, for tests that compare it with what a program calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The actions of the policy under `heading` in the template at `path`: of every `Action:` from the
/// line that ends with the heading on, as far as lines are indented deeper than it. Statements may be in block or flow
/// style.
///
/// # Panics
/// When the template cannot be read, has no such line, or an `Action:` has its list as items below it.
#[track_caller]
#[must_use]
pub fn granted(path: impl AsRef<Path>, heading: &str) -> BTreeSet<String> {
    let path = path.as_ref();
    let template = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    actions(&template, heading)
}

#[track_caller]
fn actions(template: &str, heading: &str) -> BTreeSet<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = template.lines();
    let Some(start) = lines.find(|line| line.ends_with(heading)) else {
        panic!("there is no line {heading:?}");
    };
    let block: Vec<&str> = lines
        .take_while(|line| line.trim().is_empty() || indent(line) > indent(start))
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    let block = block.join("\n");
    let mut granted = BTreeSet::new();
    for (at, found) in block.match_indices("Action:") {
        // A key of its own: not the end of `NotAction` or `ec2:CreateAction`.
        if !block[..at].ends_with([' ', '{']) {
            continue;
        }
        let listed = block[at + found.len()..].trim_start_matches(' ');
        let listed = match listed.strip_prefix('[') {
            Some(list) => list.split_once(']').map(|(list, _)| list),
            None => listed.split([',', '}', '\n']).next(),
        };
        let listed = listed.unwrap_or_default().trim();
        assert!(
            !listed.is_empty(),
            "an Action under {heading:?} is a list of one line each"
        );
        granted.extend(listed.split(',').map(|action| action.trim().to_owned()));
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::actions;

    const TEMPLATE: &str = "
Resources:
  Role:
    Properties:
      Policies:
        - PolicyName: one
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: [a:One, a:Two]

              - Action: a:Three
                Effect: Allow
              - {Sid: Four, Effect: Allow, Action: a:Four, Resource: '*'}
              - Effect: Allow
                Action: [a:Five, a:Six,
                  a:Seven]
                Condition: {StringEquals: {ec2:CreateAction: RunInstances}}
        - PolicyName: two
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action:
                  - a:Eight
  Other:
    Action: b:Six
";

    #[test]
    fn a_policy_ends_where_the_next_one_begins() {
        let granted = actions(TEMPLATE, "PolicyName: one");
        assert_eq!(
            granted.iter().collect::<Vec<_>>(),
            [
                "a:Five", "a:Four", "a:One", "a:Seven", "a:Six", "a:Three", "a:Two"
            ]
        );
        assert_eq!(actions(TEMPLATE, "Other:").len(), 1);
    }

    #[test]
    #[should_panic(expected = "is a list of one line each")]
    fn a_list_on_further_lines_is_not_passed_over() {
        let _ = actions(TEMPLATE, "PolicyName: two");
    }

    #[test]
    #[should_panic(expected = "there is no line")]
    fn a_policy_that_is_gone_is_a_fault() {
        let _ = actions(TEMPLATE, "PolicyName: three");
    }
}
