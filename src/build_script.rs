//! Puts the revision and the compiler's version into the binary, for `sentinel_build_info`, and links it so that it uses less
//! memory.

// Cargo reads what is printed.
#![allow(clippy::print_stdout)]

use std::{env, path::Path, process::Command};

/// The first glibc that supports packed relocations.
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
    // The build machine's libraries only matter if the binary is built for this kind of machine.
    let is_native = env::var("HOST").ok() == env::var("TARGET").ok();
    let is_glibc = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux")
        && env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "gnu");
    if is_optimised && is_native && is_glibc {
        link_small();
    }
}

/// Links so that fewer pages are touched, because each touched page stays in memory.
fn link_small() {
    // Reduces half a megabyte of relocations to a few kilobytes.
    if glibc().is_some_and(|version| version >= GLIBC_MIN) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // libzmq uses only a small part of libstdc++, but the loader touches half of a shared one. It stays shared if there is no static
    // one. Named here, it takes precedence over the shared one that libzmq requests.
    let archive = first_line("c++", &["-print-file-name=libstdc++.a"]).unwrap_or_default();
    if let Some(folder) = Path::new(&archive).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static:-bundle=stdc++");
    }
}

/// The version of this machine's glibc, against which the binary is linked.
fn glibc() -> Option<(u32, u32)> {
    let version = first_line("getconf", &["GNU_LIBC_VERSION"])?;
    let (major, minor) = version.strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

fn first_line(command: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(command).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.lines().next()?.trim().to_owned())
}
