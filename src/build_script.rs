//! Bakes the revision and the compiler's version into the binary, for `sentinel_build_info`, and links it so that it takes
//! less memory.

use std::{env, path::Path, process::Command};

/// The first glibc that reads packed relocations.
const GLIBC_MIN: (u32, u32) = (2, 36);

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
    let is_optimised = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // What the build machine has says something about the binary only where it is built for machines like it.
    let is_native = env::var("HOST").ok() == env::var("TARGET").ok();
    let is_glibc = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux")
        && env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "gnu");
    if is_optimised && is_native && is_glibc {
        link_small();
    }
}

/// Every page that the loader or the daemon touches stays in memory.
fn link_small() {
    // Half a megabyte of addresses that are corrected at start becomes a few kilobytes.
    if glibc().is_some_and(|version| version >= GLIBC_MIN) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // libzmq uses little of C++'s library, and the loader touches half of a shared one. Where there is none to link
    // statically, it is shared. Named here, it comes before libzmq's own wish for a shared one.
    let archive = first_line("c++", &["-print-file-name=libstdc++.a"]).unwrap_or_default();
    if let Some(folder) = Path::new(&archive).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:-bundle=stdc++");
    }
}

/// This machine's, which is what the binary is linked against.
fn glibc() -> Option<(u32, u32)> {
    let version = first_line("getconf", &["GNU_LIBC_VERSION"])?;
    let (major, minor) = version.strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

fn first_line(command: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(command).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.lines().next()?.trim().to_owned())
}
