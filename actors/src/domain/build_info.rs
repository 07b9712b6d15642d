//! The build that is running.

/// The build, as `sentinel_build_info` and `/health` show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    /// The package's version.
    pub version: String,
    /// Short commit id, or `unknown`.
    pub revision: String,
    /// The compiler's version.
    pub rustc: String,
}
