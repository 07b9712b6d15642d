//! What this binary was built from, as found by the build script.

use sentinel_actors::domain::build_info::BuildInfo;

/// Version, revision and compiler.
pub fn build_info() -> BuildInfo {
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: env!("SENTINEL_REVISION").into(),
        rustc: env!("SENTINEL_RUSTC").into(),
    }
}
