//! Where a value is taken from, as it is written on the command line.

use action::env_file::Dialect;
use std::path::PathBuf;
use std::str::FromStr;

/// An env file, in a dialect of its own or in the common one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// How it is read, when it says so itself.
    pub dialect: Option<Dialect>,
    /// The file.
    pub file: PathBuf,
}

impl FromStr for EnvFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text
            .split_once(':')
            .and_then(|(dialect, file)| Some((dialect.parse().ok()?, file)));
        let (dialect, file) = match named {
            Some((dialect, file)) => (Some(dialect), file),
            None => (None, text),
        };
        if file.is_empty() {
            return Err(format!("{text:?}: write FILE or DIALECT:FILE"));
        }
        Ok(Self {
            dialect,
            file: PathBuf::from(file),
        })
    }
}

/// What another action wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The variable for the one value at the pointer; none for every value there.
    pub name: Option<String>,
    /// The input artifact that holds it; none for a path of this build.
    pub artifact: Option<String>,
    /// The file, relative to the artifact.
    pub file: PathBuf,
    /// The JSON Pointer (RFC 6901), empty for the whole document.
    pub pointer: String,
}

impl FromStr for Manifest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, place, pointer) = match text.find("#/") {
            Some(at) => {
                let (name, place) = named(&text[..at]);
                (name, place, &text[at + 1..])
            }
            None => (None, text, ""),
        };
        let (artifact, file) = match place.split_once("::") {
            Some((artifact, file)) => (Some(artifact.to_owned()), file),
            None => (None, place),
        };
        // An artifact's name is `[a-zA-Z0-9_\-]{1,100}`.
        let fits = |name: &String| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        if file.is_empty() || !artifact.iter().all(fits) {
            return Err(format!(
                "{text:?}: write FILE or ARTIFACT::FILE, and #/POINTER behind it for what is inside"
            ));
        }
        Ok(Self {
            name,
            artifact,
            file: PathBuf::from(file),
            pointer: pointer.to_owned(),
        })
    }
}

/// A value in a JSON or YAML file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The variable; none for every value of the object.
    pub name: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// The JSON Pointer (RFC 6901), empty for the whole document.
    pub pointer: String,
}

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, place) = named(text);
        match place.split_once('#') {
            Some((file, pointer))
                if !file.is_empty() && (pointer.is_empty() || pointer.starts_with('/')) =>
            {
                Ok(Self {
                    name,
                    file: PathBuf::from(file),
                    pointer: pointer.to_owned(),
                })
            }
            _ => Err(format!(
                "{text:?}: write NAME=FILE#/POINTER or FILE#/POINTER"
            )),
        }
    }
}

/// The outputs of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// The variable; the output's own name without one.
    pub name: Option<String>,
    /// The stack's name or ARN.
    pub stack: String,
    /// The output; none for all.
    pub output: Option<String>,
}

impl FromStr for Stack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, place) = named(text);
        // Neither a stack's name nor its ARN holds a dot.
        let (stack, output) = match place.split_once('.') {
            Some((stack, output)) => (stack, Some(output)),
            None => (place, None),
        };
        let is_output =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if stack.is_empty() || !output.is_none_or(is_output) || (name.is_some() && output.is_none())
        {
            return Err(format!(
                "{text:?}: write STACK, STACK.OUTPUT or NAME=STACK.OUTPUT"
            ));
        }
        Ok(Self {
            name,
            stack: stack.to_owned(),
            output: output.map(str::to_owned),
        })
    }
}

/// A value that a stack exports to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The variable.
    pub name: String,
    /// The export's name.
    pub export: String,
}

impl FromStr for Export {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, export)) if !name.is_empty() && !export.is_empty() => Ok(Self {
                name: name.to_owned(),
                export: export.to_owned(),
            }),
            _ => Err(format!("{text:?}: write NAME=EXPORT")),
        }
    }
}

/// A parameter of the Parameter Store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The variable.
    pub name: String,
    /// The parameter's name or ARN, with `:version` or `:label` where wanted.
    pub parameter: String,
}

impl Parameter {
    /// The name or ARN, and the version or label behind it. A name holds no colon
    /// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html>).
    pub fn split(&self) -> (&str, Option<&str>) {
        let text = self.parameter.as_str();
        let start = match text.starts_with("arn:") {
            true => text.find(IN_ARN).map_or(0, |at| at + 1),
            false => 0,
        };
        match text[start..].find(':') {
            Some(at) => (&text[..start + at], Some(&text[start + at + 1..])),
            None => (text, None),
        }
    }

    /// The same for a parameter's name and its ARN, whichever version is meant.
    pub fn path(&self) -> &str {
        let (name, _) = self.split();
        let path = name.split_once(IN_ARN).map_or(name, |(_, path)| path);
        path.trim_start_matches('/')
    }
}

/// What precedes a parameter's name in its ARN.
const IN_ARN: &str = ":parameter";

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, parameter)) if !name.is_empty() && !parameter.is_empty() => Ok(Self {
                name: name.to_owned(),
                parameter: parameter.to_owned(),
            }),
            _ => Err(format!(
                "{text:?}: write NAME=PARAMETER, as in TAG=/app/tag"
            )),
        }
    }
}

/// A tag of an EC2 resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The variable.
    pub name: String,
    /// The resource's id.
    pub resource: String,
    /// The tag's key.
    pub key: String,
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A key may hold colons, an id does not.
        let parts = text
            .split_once('=')
            .and_then(|(name, place)| Some((name, place.split_once(':')?)));
        match parts {
            Some((name, (resource, key)))
                if !name.is_empty() && !key.is_empty() && resource.contains('-') =>
            {
                Ok(Self {
                    name: name.to_owned(),
                    resource: resource.to_owned(),
                    key: key.to_owned(),
                })
            }
            _ => Err(format!(
                "{text:?}: write NAME=RESOURCE:TAG, as in RELEASE=i-0ab1:release"
            )),
        }
    }
}

/// `NAME=place`, or only a place: what stands before the first `=` is a name when it can be one.
fn named(text: &str) -> (Option<String>, &str) {
    match text.split_once('=') {
        Some((name, place)) if !name.contains(['/', '#', '.']) => (Some(name.to_owned()), place),
        _ => (None, text),
    }
}
