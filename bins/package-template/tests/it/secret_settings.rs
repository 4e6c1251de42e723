//! What is refused is not printed.

use crate::world::{project, uploading};
use harness::FakeAws;
use harness::secret_settings::assert_never_shown;

#[test]
fn no_refused_value_that_may_be_secret_is_printed() {
    let (folder, fake) = (project(), FakeAws::start());
    let harmless = [
        "PACKAGE_TEMPLATE_ASSET_BUCKET",
        "PACKAGE_TEMPLATE_BUCKET",
        "PACKAGE_TEMPLATE_BUCKET_OWNER",
        "PACKAGE_TEMPLATE_PROJECT_BUILDSPEC",
        "PACKAGE_TEMPLATE_CHECK_CONFIG",
        "PACKAGE_TEMPLATE_CONFIG",
        "PACKAGE_TEMPLATE_EXPAND_ALIASES",
        "PACKAGE_TEMPLATE_EXPLAIN",
        "PACKAGE_TEMPLATE_FIX",
        "PACKAGE_TEMPLATE_FORCE",
        "PACKAGE_TEMPLATE_FORMAT",
        "PACKAGE_TEMPLATE_PIPELINE",
        "PACKAGE_TEMPLATE_PIPELINE_REGION",
        "PACKAGE_TEMPLATE_PRINT_DIGEST",
        "PACKAGE_TEMPLATE_REGION",
        "PACKAGE_TEMPLATE_SOURCES",
    ];
    let program = uploading(&folder, &fake).env("AWS_MAX_ATTEMPTS", "1");
    assert_never_shown(&program, &harmless);
}
