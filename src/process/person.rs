//! Who runs a command.

use std::env;

/// `person:<user>`, as the journal and etcd keep it.
pub fn person() -> String {
    let user = env::var("USER").ok().filter(|user| !user.is_empty() && !user.chars().any(char::is_control));
    format!("person:{}", user.as_deref().unwrap_or("unknown"))
}
