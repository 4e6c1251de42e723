//! What a policy in a template grants, for tests that compare it with what a program calls.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The actions of the policy under `heading` in the template at `path`: of every `Action:` from the
/// line that ends with the heading on, as far as lines are indented deeper than it.
///
/// # Panics
/// When the template cannot be read, has no such line, or an `Action:` has its list on further lines.
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
    lines
        .take_while(|line| line.trim().is_empty() || indent(line) > indent(start))
        .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("Action:"))
        .flat_map(|listed| {
            let listed = listed.trim();
            assert!(
                !listed.is_empty() && listed.starts_with('[') == listed.ends_with(']'),
                "an Action under {heading:?} is not on one line"
            );
            listed.trim_matches(['[', ']']).split(", ")
        })
        .map(str::to_owned)
        .collect()
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
              - Effect: Allow
                Action: a:Four
        - PolicyName: two
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action:
                  - a:Five
  Other:
    Action: b:Six
";

    #[test]
    fn a_policy_ends_where_the_next_one_begins() {
        let granted = actions(TEMPLATE, "PolicyName: one");
        assert_eq!(
            granted.iter().collect::<Vec<_>>(),
            ["a:Four", "a:One", "a:Three", "a:Two"]
        );
        assert_eq!(actions(TEMPLATE, "Other:").len(), 1);
    }

    #[test]
    #[should_panic(expected = "not on one line")]
    fn a_list_on_further_lines_is_not_passed_over() {
        let _ = actions(TEMPLATE, "PolicyName: two");
    }

    #[test]
    #[should_panic(expected = "there is no line")]
    fn a_policy_that_is_gone_is_a_fault() {
        let _ = actions(TEMPLATE, "PolicyName: three");
    }
}
