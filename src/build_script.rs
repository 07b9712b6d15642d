//! Puts the revision and the compiler's version into the binary, for `sentinel_build_info`, and the files of the console,
//! compressed; and links it so that it uses less memory.

// Cargo reads what is printed.
#![allow(clippy::print_stdout)]

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// The files of the console's page.
const WEB: &str = "src/console/web";

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
    println!("cargo::rerun-if-changed={WEB}");
    if let Err(error) = compress_web() {
        println!("cargo::error=the files of the console in {WEB}: {error}");
    }
}

/// Compresses each file, and writes the list of them as a constant: name, and the compressed bytes.
///
/// The page names the others in a folder that only these contents have, so that a browser may keep them for ever.
fn compress_web() -> io::Result<()> {
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    let mut files = Vec::new();
    collect(Path::new(WEB), &mut files)?;
    files.sort();
    let (mut contents, mut hasher) = (Vec::new(), DefaultHasher::new());
    for path in files {
        let content = as_sent(&path, fs::read(&path)?);
        (&path, &content).hash(&mut hasher);
        contents.push((path, content));
    }
    let folder = format!("files-{:016x}", hasher.finish());
    println!("cargo::rustc-env=SENTINEL_WEB_FOLDER={folder}");
    let mut list = String::from("&[\n");
    for (number, (path, content)) in contents.into_iter().enumerate() {
        let content = match path.extension().is_some_and(|it| it == "html") {
            true => in_folder(content, &folder)?.into_bytes(),
            false => content,
        };
        let compressed = out.join(format!("web-{number}.gz"));
        zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, &*content, fs::File::create(&compressed)?)?;
        let name = path.strip_prefix(WEB).map_err(io::Error::other)?.display().to_string();
        list.push_str(&format!("({name:?}, include_bytes!({:?})),\n", compressed.display().to_string()));
    }
    list.push_str("]\n");
    fs::write(out.join("web.rs"), list)
}

/// The page with the name of the folder in each address of a file.
fn in_folder(page: Vec<u8>, folder: &str) -> io::Result<String> {
    let page = String::from_utf8(page).map_err(io::Error::other)?;
    Ok(page.replace("\"files/", &format!("\"{folder}/")))
}

/// Lines of our own files are sent without their indentation, and those that are only a comment empty: numbers of
/// lines stay what they are. No text in them has more than one line.
fn as_sent(path: &Path, content: Vec<u8>) -> Vec<u8> {
    let is_ours = path.parent() == Some(Path::new(WEB));
    if !is_ours {
        return content;
    }
    let is_comment = |line: &[u8]| {
        let begin = line.trim_ascii_start();
        begin.starts_with(b"//")
            || begin.starts_with(b"/*")
            || begin.starts_with(b"<!--")
            || (line.starts_with(b" ") && begin.starts_with(b"* "))
            || begin == b"*/"
    };
    let line_as_sent = |line: &'_ [u8]| if is_comment(line) { Vec::new() } else { line.trim_ascii_start().to_vec() };
    let lines = content.split(|byte| *byte == b'\n').map(line_as_sent);
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// The files that browsers get; a README is for readers of the source.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| ["html", "css", "js", "LICENSE"].iter().any(|it| extension == *it))
        {
            files.push(path);
        }
    }
    Ok(())
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
