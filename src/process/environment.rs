//! The process's environment, as text.

use std::collections::HashMap;

/// All variables. Names that are not text cannot be ours; a value that is not keeps a mark by which it is refused.
pub fn environment() -> HashMap<String, String> {
    let variables = std::env::vars_os();
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .collect()
}
