//! Reads the CURVE keys from the files that `[gateway]` names. An error names the setting and what to do; it never shows the
//! content of a file.

use super::{GatewaySettings, Problem};
use sentinel_actors::adapters::gateway::curve::{self, CurveKey, CurveKeys, Half};
use std::{fs::File, io::Read, path::Path};

/// The settings with the paths of the three files.
pub(super) const KEYS: [&str; 3] =
    ["gateway.curve_server_key_file", "gateway.curve_public_key_file", "gateway.curve_secret_key_file"];
/// A certificate of zmq.auth has 400 bytes, and may have any amount of metadata.
const FILE_BYTES_MAX: u64 = 16_384;

/// Reads the keys; `None` if no file is named. Reports all problems together.
pub(super) fn keys(gateway: &GatewaySettings, curve_available: bool) -> Result<Option<CurveKeys>, Vec<Problem>> {
    let files = [&gateway.curve_server_key_file, &gateway.curve_public_key_file, &gateway.curve_secret_key_file];
    if files.iter().all(|file| file.is_none()) {
        return Ok(None);
    }
    let mut problems = Vec::new();
    if !curve_available {
        let message = format!(
            "is set, but libzmq {} in this binary has no CURVE: build one with `cargo --config docker/curve.toml build \
             --release`, or use the container",
            curve::library_version()
        );
        problems.push(Problem::new(KEYS[0], message));
    }
    let mut found = Vec::new();
    for ((key, file), half) in KEYS.into_iter().zip(files).zip([Half::Public, Half::Public, Half::Secret]) {
        let Some(path) = file else {
            problems.push(Problem::new(key, format!("is missing: CURVE needs all of {}", KEYS.join(", "))));
            continue;
        };
        match read(path, half) {
            Ok(key) => found.push(key),
            Err(message) => problems.push(Problem::new(key, message)),
        }
    }
    if let ([server, public, secret], true) = (&found[..], problems.is_empty()) {
        if server == public {
            let message = format!("has the same key as {}: it must be the gateway's key", KEYS[1]);
            return Err(vec![Problem::new(KEYS[0], message)]);
        }
        return Ok(Some(CurveKeys { server: server.clone(), public: public.clone(), secret: secret.clone() }));
    }
    Err(problems)
}

fn read(path: &Path, half: Half) -> Result<CurveKey, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    // Somebody may have set the key itself instead of a path. It must not reach the terminal, so only what looks like a path
    // and not like a key is shown.
    let named = path.to_str().filter(|text| text.contains('/') && CurveKey::parse(text, half).is_err());
    let name = named.unwrap_or("the file");
    read.map_err(|error| format!("{name} cannot be read: {error}"))?;
    CurveKey::parse(&text, half).map_err(|rule| format!("{name} {rule}"))
}

#[cfg(test)]
mod tests {
    use super::{super::Sources, *};
    use crate::settings::layers;
    use std::{fs, path::PathBuf};

    const GATEWAYS: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
    const OURS: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    const SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

    /// The keys of files with these texts; `None`: not set.
    fn load(texts: [Option<&str>; 3], curve_available: bool) -> Result<Option<CurveKeys>, Vec<Problem>> {
        let folder = tempfile::tempdir().unwrap();
        let mut gateway = layers::merge(&Sources::default()).unwrap().gateway;
        let mut files = texts.iter().zip(["server.key", "client.key", "client.key_secret"]).map(|(text, name)| {
            text.map(|text| {
                let path: PathBuf = folder.path().join(name);
                fs::write(&path, text).unwrap();
                path
            })
        });
        gateway.curve_server_key_file = files.next().unwrap();
        gateway.curve_public_key_file = files.next().unwrap();
        gateway.curve_secret_key_file = files.next().unwrap();
        keys(&gateway, curve_available)
    }

    fn refused(texts: [Option<&str>; 3], curve_available: bool) -> (Vec<String>, String) {
        let problems = load(texts, curve_available).unwrap_err();
        let text = problems.iter().map(|problem| problem.message.clone() + "\n").collect();
        (problems.into_iter().map(|problem| problem.key).collect(), text)
    }

    #[test]
    fn all_three_files_or_none() {
        assert_eq!(load([None, None, None], false), Ok(None));
        let keys = load([Some(GATEWAYS), Some(OURS), Some(SECRET)], true).unwrap().unwrap();
        assert_eq!(keys.server, CurveKey::parse(GATEWAYS, Half::Public).unwrap());
        assert_eq!(keys.secret, CurveKey::parse(SECRET, Half::Secret).unwrap());
        assert_eq!(refused([Some(GATEWAYS), None, None], true).0, KEYS[1..]);
        assert_eq!(refused([None, None, Some("CANARY")], true).0, KEYS);
    }

    #[test]
    fn without_curve_the_error_gives_the_build_command() {
        let (keys, text) = refused([Some(GATEWAYS), Some(OURS), Some(SECRET)], false);
        assert_eq!(keys, KEYS[..1]);
        assert!(text.contains("docker/curve.toml") && text.contains("container"), "{text}");
        assert_eq!(refused([Some(GATEWAYS), None, None], false).0, KEYS, "everything at once");
    }

    #[test]
    fn an_invalid_file_is_refused_without_its_content() {
        let (keys, text) = refused([Some(GATEWAYS), Some("CANARY"), Some(SECRET)], true);
        assert!(keys == KEYS[1..2] && text.contains("client.key") && !text.contains("CANARY"), "{text}");
        assert_eq!(refused([Some(OURS), Some(OURS), Some(SECRET)], true).0, KEYS[..1]);
    }

    #[test]
    fn a_key_instead_of_a_path_is_not_shown() {
        for text in [OURS, SECRET, "CANARY"] {
            let message = read(Path::new(text), Half::Secret).unwrap_err();
            assert!(message.starts_with("the file cannot be read"), "{message}");
        }
    }
}
