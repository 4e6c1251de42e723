//! What a test does when a real component is not on the machine.

/// Says that the running test was skipped because `what` is missing, so that the test can return.
///
/// # Panics
/// When `ACTIONS_NO_SKIP=1` is set, as CI does: a skipped test proves nothing.
pub fn missing(what: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("unnamed test");
    assert!(
        std::env::var_os("ACTIONS_NO_SKIP").is_none_or(|value| value != "1"),
        "{what} is missing and ACTIONS_NO_SKIP=1 forbids skipping {test} (scripts/setup installs it)"
    );
    eprintln!("SKIPPED {test}: {what} is missing (scripts/setup installs it)");
}
