//! The CURVE keys that `[gateway]` names, from their files. Every refusal names the key and the way out, and never
//! shows what is in a file.

use super::{GatewaySettings, Problem};
use sentinel_actors::adapters::gateway::curve::{self, CurveKey, CurveKeys, Half};
use std::{fs::File, io::Read, path::Path};

/// The settings that name the three files.
pub(super) const KEYS: [&str; 3] =
    ["gateway.curve_server_key_file", "gateway.curve_public_key_file", "gateway.curve_secret_key_file"];
/// A certificate of zmq.auth has 400 bytes, and as much metadata as somebody wants.
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
            "is set, and the libzmq {} of this binary has no CURVE: build it with `cargo --config docker/curve.toml build \
             --release`, or run the container",
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
            let message = format!("holds the key that {} holds: it has to be the gateway's own", KEYS[1]);
            return Err(vec![Problem::new(KEYS[0], message)]);
        }
        return Ok(Some(CurveKeys { server: server.clone(), public: public.clone(), secret: secret.clone() }));
    }
    Err(problems)
}

fn read(path: &Path, half: Half) -> Result<CurveKey, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    // A key in the place of a file's name must not reach the terminal: only what looks like a path is shown, and a key
    // may look like one.
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

    /// What `[gateway]` with files of these texts says; `None`: not set.
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
    fn without_curve_the_way_out_is_named() {
        let (keys, text) = refused([Some(GATEWAYS), Some(OURS), Some(SECRET)], false);
        assert_eq!(keys, KEYS[..1]);
        assert!(text.contains("docker/curve.toml") && text.contains("container"), "{text}");
        assert_eq!(refused([Some(GATEWAYS), None, None], false).0, KEYS, "everything at once");
    }

    #[test]
    fn a_bad_file_is_refused_by_its_name_and_without_what_is_in_it() {
        let (keys, text) = refused([Some(GATEWAYS), Some("CANARY"), Some(SECRET)], true);
        assert!(keys == KEYS[1..2] && text.contains("client.key") && !text.contains("CANARY"), "{text}");
        assert_eq!(refused([Some(OURS), Some(OURS), Some(SECRET)], true).0, KEYS[..1]);
    }

    #[test]
    fn a_key_in_the_place_of_a_file_is_not_shown() {
        for text in [OURS, SECRET, "CANARY"] {
            let message = read(Path::new(text), Half::Secret).unwrap_err();
            assert!(message.starts_with("the file cannot be read"), "{message}");
        }
    }
}
