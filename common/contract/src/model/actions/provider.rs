//! A provider of actions, and the settings that it takes.

/// A provider.
#[derive(Debug, Clone, Copy)]
pub struct Provider {
    /// The categories under which it stands.
    pub categories: &'static [&'static str],
    /// `AWS` or `ThirdParty`.
    pub owner: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub settings: &'static [Setting],
    /// Whether it may take more than is listed here.
    pub open: bool,
    /// The least and the most input artifacts, where that is documented.
    pub inputs: Option<(usize, usize)>,
    /// The least and the most output artifacts, where that is documented.
    pub outputs: Option<(usize, usize)>,
}

/// A setting of a provider's actions.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key.
    pub name: &'static str,
    /// When it must be there.
    pub need: Need,
    /// What its value is.
    pub kind: Kind,
}

/// When a setting must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Always,
    /// Where another setting has one of these values.
    When(&'static str, &'static [&'static str]),
    /// Where another setting is there.
    With(&'static str),
    /// Where another setting is not there.
    Without(&'static str),
    /// Where the action has several input artifacts.
    SeveralInputs,
    /// Where the action has no input artifact.
    NoInput,
    /// Never.
    Optional,
}

/// What the value of a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number in this range.
    Number(u32, u32),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Some of these, with a comma between them.
    SomeOf(&'static [&'static str]),
    /// JSON: a list of a build's variables, each with `name`, `value` and perhaps `type`.
    BuildVariables,
    /// JSON: a list.
    JsonList,
    /// `Artifact::path`.
    ArtifactPath,
    /// `Artifact::path`, or a text that holds the value itself.
    TextOrArtifactPath,
    /// The name of an input artifact.
    ArtifactName,
    /// A file in the input artifact that another setting names, by the default name when it is not given.
    FileOf(&'static str, &'static str),
    /// A file in the first input artifact.
    File,
}

pub(super) const fn setting(name: &'static str, need: Need, kind: Kind) -> Setting {
    Setting { name, need, kind }
}

pub(super) const fn must(name: &'static str) -> Setting {
    setting(name, Need::Always, Kind::Text)
}

pub(super) const fn may(name: &'static str) -> Setting {
    setting(name, Need::Optional, Kind::Text)
}

pub(super) const fn switch(name: &'static str) -> Setting {
    setting(name, Need::Optional, Kind::Boolean)
}

pub(super) const fn of_aws(
    categories: &'static [&'static str],
    name: &'static str,
    settings: &'static [Setting],
) -> Provider {
    Provider {
        categories,
        owner: "AWS",
        name,
        settings,
        open: false,
        inputs: None,
        outputs: None,
    }
}

pub(super) const fn open(
    categories: &'static [&'static str],
    owner: &'static str,
    name: &'static str,
    settings: &'static [Setting],
) -> Provider {
    Provider {
        owner,
        open: true,
        ..of_aws(categories, name, settings)
    }
}

impl Provider {
    pub(super) const fn takes(self, inputs: (usize, usize), outputs: (usize, usize)) -> Self {
        Self {
            inputs: Some(inputs),
            outputs: Some(outputs),
            ..self
        }
    }

    /// The setting of that key.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|one| one.name == key)
    }

    /// Whether it stands in that category.
    #[must_use]
    pub fn is_in(&self, category: &str) -> bool {
        self.categories.contains(&category)
    }
}
