//! A template on its way to CloudFormation: in the request, or where it is too large for that, in the artifact bucket.

use action::failure::Failure;
use contract::template::Template;

use crate::action_io::ActionInput;
use crate::artifact_bucket::Upload;

/// The largest template that fits into a request, in bytes. Source: CloudFormation user guide, "Quotas".
const MAX_BODY: usize = 51_200;

/// The largest template that CloudFormation takes from a bucket, in bytes. Source: the same.
const MAX_OBJECT: usize = 1 << 20;

/// What a call is given of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TemplateArgument {
    /// `TemplateBody`.
    pub(crate) body: Option<String>,
    /// `TemplateURL`.
    pub(crate) url: Option<String>,
}

/// The template of an action, read out of its artifact.
pub(crate) struct ReadTemplate {
    pub(crate) template: Template,
    shown: String,
    text: String,
}

impl ReadTemplate {
    /// Reads `TemplatePath`. A template that could not be sent is refused.
    pub(crate) fn of(input: &ActionInput<'_>) -> Result<Self, Failure> {
        let deed = format!("{} cannot deploy", input.name());
        let refused = |why: String| Failure::refused(deed.clone()).cause(why);
        let path = input.required("TemplatePath")?;
        let bytes = input.read_path("TemplatePath", path)?;
        let shown = path.split_once("::").map_or(path, |(_, file)| file);
        let template =
            Template::parse(shown, &bytes).map_err(|wrong| findings::refusal(&deed, &wrong))?;
        let size = bytes.len();
        if size > MAX_OBJECT {
            return Err(refused(format!(
                "{shown} has {size} bytes; CloudFormation takes {MAX_OBJECT}"
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            template,
            shown: shown.to_owned(),
            text,
        })
    }

    /// What a call is given. A large template is uploaded first.
    pub(crate) async fn argument(
        self,
        input: &ActionInput<'_>,
    ) -> Result<TemplateArgument, Failure> {
        if self.text.len() <= MAX_BODY {
            return Ok(TemplateArgument {
                body: Some(self.text),
                url: None,
            });
        }
        let Some(upload) = Upload::to_bucket(input) else {
            return Err(Failure::refused(format!("{} cannot deploy", input.name()))
                .cause(format!(
                    "{} has {} bytes; more than {MAX_BODY} reach CloudFormation through a bucket",
                    self.shown,
                    self.text.len()
                ))
                .hint("name one with --artifact-bucket"));
        };
        let bytes = self.text.into_bytes();
        // The same content has the same key, and so the same URL.
        let digest = bundle::digest::Digest::of(&bytes);
        let stored = upload.put(&format!("templates/{digest}"), bytes).await?;
        Ok(TemplateArgument {
            body: None,
            url: Some(stored.url),
        })
    }
}
