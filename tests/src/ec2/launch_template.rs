//! Launch templates as far as they name images.

/// A launch template.
#[derive(Debug, Clone)]
pub struct LaunchTemplate {
    /// Such as `lt-0123456789abcdef0`.
    pub id: String,
    /// Unique among the account's templates of the region.
    pub name: String,
    /// The image of each version, from version 1 on; a version may name none.
    pub versions: Vec<Option<String>>,
    /// The number of the default version.
    pub default: u32,
}

impl LaunchTemplate {
    /// A template with a version for each image; the last is the default.
    pub fn new<'a>(id: &str, name: &str, images: impl IntoIterator<Item = &'a str>) -> Self {
        let versions: Vec<_> = images
            .into_iter()
            .map(|image| Some(image.to_owned()))
            .collect();
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            default: u32::try_from(versions.len()).expect("few versions"),
            versions,
        }
    }

    /// Makes another version the default.
    #[must_use]
    pub fn default(mut self, version: u32) -> Self {
        self.default = version;
        self
    }

    /// The number of the last version.
    pub fn latest(&self) -> u32 {
        u32::try_from(self.versions.len()).expect("few versions")
    }
}
