//! The name of this machine.

use std::fs;

/// As the kernel has it; in a container the container's.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "a machine without a name".into() } else { name.to_owned() }
}
