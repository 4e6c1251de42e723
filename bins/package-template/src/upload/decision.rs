//! What must happen to what the key holds.

use crate::upload::uploader::Seen;

/// What must happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing: this version has the content.
    Unchanged {
        /// The version.
        version: String,
    },
    /// Write where nothing is.
    Create,
    /// Write over this.
    Replace {
        /// The entity tag to be replaced.
        etag: String,
        /// Its version.
        version: Option<String>,
    },
}

impl Decision {
    /// What follows from what the key holds, and from whether that is proven to be the content. An object
    /// without a version is replaced: a pipeline needs one to run.
    pub(crate) fn of(seen: Option<Seen>, is_ours: bool) -> Self {
        match seen {
            None => Self::Create,
            Some(Seen {
                version: Some(version),
                ..
            }) if is_ours => Self::Unchanged { version },
            Some(Seen { etag, version, .. }) => Self::Replace { etag, version },
        }
    }

    /// Whether the key still holds what was compared.
    pub(crate) fn still_holds(&self, seen: Option<&Seen>) -> bool {
        match (self, seen) {
            (Self::Create, None) => true,
            (Self::Replace { etag, .. }, Some(seen)) => *etag == seen.etag,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decision;
    use crate::upload::uploader::Seen;

    #[test]
    fn only_a_version_that_is_proven_is_left_alone() {
        let seen = |version: Option<&str>| {
            Some(Seen {
                etag: "\"e\"".to_owned(),
                version: version.map(str::to_owned),
                claim: None,
                sha256: None,
                size: 9,
            })
        };
        let replace = |version: Option<&str>| Decision::Replace {
            etag: "\"e\"".to_owned(),
            version: version.map(str::to_owned),
        };
        let unchanged = Decision::Unchanged {
            version: "v1".to_owned(),
        };
        assert_eq!(Decision::of(None, false), Decision::Create);
        assert_eq!(Decision::of(seen(Some("v1")), true), unchanged);
        assert_eq!(Decision::of(seen(Some("v1")), false), replace(Some("v1")));
        assert_eq!(Decision::of(seen(None), true), replace(None));
    }
}
