//! What is refused is not printed.

use crate::{account, program};
use harness::secret_settings::assert_never_shown;

#[test]
fn no_refused_value_that_may_be_secret_is_printed() {
    let (fake, _) = account();
    // Refused, whatever else is given, before any call.
    let program = program(&fake).env("MAKE_AMI_RETIRE", "never");
    let harmless = [
        "AMI_NAME",
        "INSTANCE_ID",
        "MAKE_AMI_APP",
        "MAKE_AMI_BOOT_MODE",
        "MAKE_AMI_CONSISTENCY",
        "MAKE_AMI_COPY_TO",
        "MAKE_AMI_COPY_WAIT",
        "MAKE_AMI_COPY_WITHIN",
        "MAKE_AMI_DEPRECATE_AFTER",
        "MAKE_AMI_ENCRYPT",
        "MAKE_AMI_IMDS",
        "MAKE_AMI_INSTANCE_STACK",
        "MAKE_AMI_INSTANCE_TAG",
        "MAKE_AMI_INSTANCE_TYPE",
        "MAKE_AMI_KEEP",
        "MAKE_AMI_MAX_AGE",
        "MAKE_AMI_MUST_DESCEND_FROM",
        "MAKE_AMI_ON_SCAN_FAILURE",
        "MAKE_AMI_PRICE",
        "MAKE_AMI_PRICE_FOR",
        "MAKE_AMI_PROTECT",
        "MAKE_AMI_QUIESCE_BY",
        "MAKE_AMI_QUIESCE_CONTAINER",
        "MAKE_AMI_QUIESCE_LEASE",
        "MAKE_AMI_QUIESCE_MOUNT",
        "MAKE_AMI_RELEASE_ID",
        "MAKE_AMI_RETIRE",
        "MAKE_AMI_SCAN",
        "MAKE_AMI_SCAN_AGE",
        "MAKE_AMI_SCAN_COUNTS",
        "MAKE_AMI_SCAN_GRACE",
        "MAKE_AMI_SCAN_SEVERITY",
        "MAKE_AMI_SHARE_WITH",
        "MAKE_AMI_SNAPSHOT_LOCATION",
        "MAKE_AMI_SNAPSHOT_TAGS",
        "MAKE_AMI_SSM_PARAMETER",
        "MAKE_AMI_TAG",
        "MAKE_AMI_TEMPLATE_DIGEST",
        "MAKE_AMI_UNUSED_FOR",
        "MAKE_AMI_USAGE_REPORT_AGE",
        "MAKE_AMI_VOLUME",
        "MAKE_AMI_WATERMARK",
    ];
    assert_never_shown(&program, &harmless);
}
