//! Bakes the revision and the compiler's version into the binary, for `sentinel_build_info`.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-env-changed=SENTINEL_REVISION");
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/refs/heads");
    let given = env::var("SENTINEL_REVISION").ok().filter(|revision| !revision.is_empty());
    let revision = given.or_else(|| first_line("git", &["rev-parse", "--short=7", "HEAD"]));
    println!("cargo::rustc-env=SENTINEL_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = first_line(&rustc, &["--version"]).unwrap_or_default();
    println!("cargo::rustc-env=SENTINEL_RUSTC={}", version.split(' ').nth(1).unwrap_or("unknown"));
}

fn first_line(command: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(command).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.lines().next()?.trim().to_owned())
}
