//! Tests that need a program which is not everywhere: they say aloud that they were skipped, and fail where the
//! environment forbids skips.

use std::io::Write as _;
use std::path::PathBuf;

/// Set where a skip counts as a failure.
const FORBIDDEN: &str = "REPRISE_TEST_SKIPS";

/// Says past the capture of the test runner what is not tested, and what would change that.
///
/// # Panics
/// Where skips are forbidden.
pub fn skip(what: &str, remedy: &str) {
    assert!(std::env::var_os(FORBIDDEN).is_none(), "{what} cannot be tested: {remedy}. Skips are forbidden here");
    // A message that cannot be written is no reason to fail.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}; {remedy}");
}

/// The first of these programs that is installed: where it is.
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}
