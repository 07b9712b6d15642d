//! The process's environment, as text.

use std::collections::HashMap;

/// All variables. Names that are not UTF-8 cannot be ours and are left out. In a value, bytes that are not UTF-8 become a
/// replacement character, and the settings refuse that value.
pub fn environment() -> HashMap<String, String> {
    let variables = std::env::vars_os();
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .collect()
}
