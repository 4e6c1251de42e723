//! A value made of others: `{NAME}` in a text.

use action::export::name::is_identifier;

/// Why a text cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no variable of this name.
    Unknown(String),
    /// What stands between the brackets at this byte offset is no name.
    NoName(usize),
    /// `{` without `}`, at this byte offset.
    Unclosed(usize),
    /// `}` without `{`, at this byte offset.
    Stray(usize),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Unknown(name) => write!(f, "there is no {name}"),
            Fault::NoName(offset) => write!(
                f,
                "the text in the brackets at offset {offset} is not a name; write {{{{ and }}}} for plain brackets"
            ),
            Fault::Unclosed(offset) => write!(
                f,
                "`{{` at offset {offset} is never closed; write {{{{ for a plain bracket"
            ),
            Fault::Stray(offset) => write!(
                f,
                "`}}` at offset {offset} closes nothing; write }}}} for a plain bracket"
            ),
        }
    }
}

/// Fills in `{NAME}`; `{{` and `}}` are plain brackets. Values are not checked.
pub(crate) fn fill(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let offset = text.len() - rest.len() + at;
        let (before, bracket) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = bracket.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = bracket.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else if let Some(inside) = bracket.strip_prefix('{') {
            let (name, after) = inside.split_once('}').ok_or(Fault::Unclosed(offset))?;
            if !is_identifier(name) {
                return Err(Fault::NoName(offset));
            }
            out.push_str(&lookup(name).ok_or_else(|| Fault::Unknown(name.to_owned()))?);
            rest = after;
        } else {
            return Err(Fault::Stray(offset));
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Fault, fill};

    #[test]
    fn names_in_brackets_are_replaced_once() {
        let lookup = |name: &str| (name == "AMI_ID").then(|| "{x}".to_owned());
        assert_eq!(
            fill("a {AMI_ID}{AMI_ID} b", lookup),
            Ok("a {x}{x} b".to_owned())
        );
        assert_eq!(fill("{{AMI_ID}}", lookup), Ok("{AMI_ID}".to_owned()));
        assert_eq!(fill("{AMI}", lookup), Err(Fault::Unknown("AMI".to_owned())));
        assert_eq!(fill("é{AMI_ID", lookup), Err(Fault::Unclosed(2)));
        assert_eq!(fill("a}", lookup), Err(Fault::Stray(1)));
        assert_eq!(fill("{\"a\":1}", lookup), Err(Fault::NoName(0)));
    }
}
