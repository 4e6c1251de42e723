//! Why an action did not succeed, as a person and a log need it.

use crate::exit::Exit;
use crate::interrupt::Signal;
use std::fmt::{self, Display, Write as _};

/// A failed action: the deed that failed, its cause, what was changed, what remains, a hint.
///
/// ```
/// use action::failure::Failure;
/// let failure = Failure::failed("cannot create an image of i-0ab1 in eu-west-1")
///     .cause("InvalidParameterValue: instance is not EBS-backed (request id 7f3a)")
///     .hint("only EBS-backed instances can be imaged");
/// assert!(failure.to_string().contains("\n  cause: InvalidParameterValue"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Failure {
    exit: Exit,
    deed: String,
    details: Vec<String>,
    causes: Vec<String>,
    changed: Vec<String>,
    remains: Vec<Remainder>,
    hint: Option<String>,
    command: Option<Box<FailedCommand>>,
}

/// A command on another machine that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCommand {
    /// What it was to do, as in "start release r".
    pub command: String,
    /// How it ended, such as `exit status 3`.
    pub ended: String,
}

/// Something that a failed action leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remainder {
    /// The thing itself. Whoever asks whether a thing is listed compares this, never [`Remainder::what`].
    pub resource: Resource,
    /// What it is, in words, with its id.
    pub what: String,
    /// The exact command that removes or resumes it.
    pub command: String,
}

impl Remainder {
    /// A remainder of this resource.
    #[must_use]
    pub fn new(resource: Resource, what: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            resource,
            what: what.into(),
            command: command.into(),
        }
    }

    /// As machines read it: `kind`, `id`, `place`, `what`, `command`.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "kind": self.resource.kind.word(),
            "id": self.resource.id,
            "place": self.resource.place,
            "what": self.what,
            "command": self.command,
        })
    }
}

/// A thing that can be left behind. Two are the same when kind, id and place are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// What kind of thing it is.
    pub kind: ResourceKind,
    /// Its id, whole: an image's id, a release's name, the address of an object.
    pub id: String,
    /// Where it is: a Region, a host. Empty where the id says so itself.
    pub place: String,
}

impl Resource {
    /// The resource with this id in this place.
    #[must_use]
    pub fn new(kind: ResourceKind, id: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            place: place.into(),
        }
    }
}

/// The kinds of things that a failed action can leave behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    /// An Amazon Machine Image, by its id.
    Image,
    /// A snapshot of a volume, by its id.
    Snapshot,
    /// An EC2 instance, by its id.
    Instance,
    /// The tag of an EC2 resource: the resource's id, a slash, the tag's key.
    Tag,
    /// Whatever a run of `make-ami` made and nobody has seen, by the run's key.
    Run,
    /// A CloudFormation stack, by its name.
    Stack,
    /// An object in S3 or a version of it, by its address.
    Object,
    /// A release on a host, by its name.
    Release,
    /// The deployment lock of a target on a host, by the target's path.
    Lock,
}

impl ResourceKind {
    /// The kind in one word, as machines read it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ResourceKind::Image => "image",
            ResourceKind::Snapshot => "snapshot",
            ResourceKind::Instance => "instance",
            ResourceKind::Tag => "tag",
            ResourceKind::Run => "run",
            ResourceKind::Stack => "stack",
            ResourceKind::Object => "object",
            ResourceKind::Release => "release",
            ResourceKind::Lock => "lock",
        }
    }
}

impl Failure {
    /// A failure with this exit; `deed` starts with "cannot …" or names what is wrong, lower case,
    /// no full stop, with the thing and the place.
    pub fn new(exit: Exit, deed: impl Into<String>) -> Self {
        Self {
            exit,
            deed: deed.into(),
            details: Vec::new(),
            causes: Vec::new(),
            changed: Vec::new(),
            remains: Vec::new(),
            hint: None,
            command: None,
        }
    }

    /// [`Exit::Failed`].
    pub fn failed(deed: impl Into<String>) -> Self {
        Self::new(Exit::Failed, deed)
    }

    /// [`Exit::Refused`].
    pub fn refused(deed: impl Into<String>) -> Self {
        Self::new(Exit::Refused, deed)
    }

    /// The exit that an arrived signal asks for.
    pub fn interrupted(signal: Signal, deed: impl Display) -> Self {
        Self::new(signal.exit(), format!("{deed}: {signal} received"))
    }

    /// A line under the deed, for findings that come in a list.
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Why it failed, on a line of its own; AWS's code, message and request id belong here.
    pub fn cause(mut self, cause: impl Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// The command that failed. The first one counts: what follows is its consequence.
    pub fn of_command(mut self, command: impl Into<String>, ended: impl Display) -> Self {
        let (command, ended) = (command.into(), ended.to_string());
        self.command
            .get_or_insert_with(|| Box::new(FailedCommand { command, ended }));
        self
    }

    /// What had been changed by then and stays so on purpose.
    pub fn changed(mut self, what: impl Into<String>) -> Self {
        self.changed.push(what.into());
        self
    }

    /// Something that remains; turns the exit into [`Exit::Remains`] unless a deadline or a signal
    /// already says more.
    pub fn remains(
        self,
        resource: Resource,
        what: impl Into<String>,
        command: impl Into<String>,
    ) -> Self {
        self.leaving(Remainder::new(resource, what, command))
    }

    /// As [`Failure::remains`], of a remainder that exists already. What is listed already in the same words
    /// is not listed twice.
    pub fn leaving(mut self, left: Remainder) -> Self {
        if !matches!(
            self.exit,
            Exit::Deadline | Exit::Interrupted | Exit::Terminated
        ) {
            self.exit = Exit::Remains;
        }
        if !self.remains.contains(&left) {
            self.remains.push(left);
        }
        self
    }

    /// Adds what went wrong while this failure was being undone: its words become causes, what it
    /// leaves behind remains; its hint counts where this failure has none.
    pub fn and(mut self, other: Failure) -> Self {
        self.causes.push(other.deed);
        self.causes.extend(other.details);
        self.causes.extend(other.causes);
        self.hint = self.hint.or(other.hint);
        self.command = self.command.or(other.command);
        self.changed.extend(other.changed);
        other.remains.into_iter().fold(self, Failure::leaving)
    }

    /// What the reader can do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with another exit.
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// How the program ends because of it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The first line, without causes and hints.
    #[must_use]
    pub fn deed(&self) -> &str {
        &self.deed
    }

    /// The causes, the nearest first.
    #[must_use]
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// The command that failed, where it was one.
    #[must_use]
    pub fn command(&self) -> Option<&FailedCommand> {
        self.command.as_deref()
    }

    /// What is left behind.
    #[must_use]
    pub fn remainders(&self) -> &[Remainder] {
        &self.remains
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.deed.clone();
        for detail in &self.details {
            write!(text, "\n  {detail}")?;
        }
        for cause in &self.causes {
            write!(text, "\n  cause: {cause}")?;
        }
        for changed in &self.changed {
            write!(text, "\n  done so far: {changed}")?;
        }
        for Remainder { what, command, .. } in &self.remains {
            write!(text, "\n  remains: {what}\n    {command}")?;
        }
        if let Some(hint) = &self.hint {
            write!(text, "\nhint: {hint}")?;
        }
        f.write_str(&text)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::{Failure, Resource, ResourceKind};
    use crate::exit::Exit;

    fn image(id: &str) -> Resource {
        Resource::new(ResourceKind::Image, id, "eu-west-1")
    }

    #[test]
    fn what_remains_decides_the_exit_but_not_over_a_deadline() {
        let failed =
            Failure::failed("cannot x").remains(image("ami-1"), "image ami-1", "aws ec2 …");
        assert_eq!(failed.exit(), Exit::Remains);
        let late = Failure::new(Exit::Deadline, "late").remains(
            image("ami-1"),
            "image ami-1",
            "make-ami wait",
        );
        assert_eq!(late.exit(), Exit::Deadline);
    }

    #[test]
    fn a_failure_of_the_undoing_adds_what_it_leaves() {
        let undoing = Failure::failed("cannot start i-1")
            .detail("last seen: it is pending")
            .cause("no capacity")
            .remains(
                Resource::new(ResourceKind::Instance, "i-1", "eu-west-1"),
                "instance i-1, stopped",
                "aws ec2 start-instances …",
            )
            .hint("try later");
        let both = Failure::failed("cannot image i-1").and(undoing.clone());
        assert_eq!(both.exit(), Exit::Remains);
        assert_eq!(both.deed(), "cannot image i-1");
        assert_eq!(
            both.causes(),
            [
                "cannot start i-1",
                "last seen: it is pending",
                "no capacity"
            ]
        );
        assert_eq!(both.remainders().len(), 1);
        let twice = both.clone().and(undoing.clone());
        assert_eq!(twice.remainders().len(), 1, "listed once");
        assert!(both.to_string().ends_with("hint: try later"), "{both}");
        let own = Failure::failed("cannot image i-1").hint("its own");
        assert!(own.and(undoing).to_string().ends_with("hint: its own"));
    }

    #[test]
    fn reads_deed_cause_remains_hint() {
        let failure = Failure::failed("cannot start i-1 in eu-west-1")
            .cause("UnauthorizedOperation: no")
            .remains(
                image("ami-1"),
                "image `ami-1`",
                "aws ec2 deregister-image --image-id ami-1",
            )
            .hint("allow ec2:StartInstances");
        assert_eq!(
            failure.to_string(),
            "cannot start i-1 in eu-west-1\n  cause: UnauthorizedOperation: no\n  remains: image `ami-1`\n    \
             aws ec2 deregister-image --image-id ami-1\nhint: allow ec2:StartInstances"
        );
    }
}
