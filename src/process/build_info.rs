//! What this binary was built from, as the build script found it.

use sentinel_actors::domain::build_info::BuildInfo;

/// Version, revision and compiler.
pub fn build_info() -> BuildInfo {
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: env!("SENTINEL_REVISION").into(),
        rustc: env!("SENTINEL_RUSTC").into(),
    }
}
