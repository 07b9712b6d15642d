//! What a command believes of a file that another user wrote. Root may read what the daemon's user wrote, but a daemon that
//! was broken into must not choose which files root opens: paths count only if they are in the daemon's own directory, or are
//! credentials that systemd placed.

use super::LastStart;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path},
};

/// Where systemd places a unit's credentials.
const CREDENTIALS: &str = "/run/credentials";

impl LastStart {
    /// Removes the keys that name files outside `directory`, and keeps their names.
    pub(super) fn drop_untrusted(&mut self, directory: &Path) {
        let Self { variables, flags, untrusted, .. } = self;
        for layer in [variables, flags] {
            layer.retain(|key, value| {
                let is_trusted = is_harmless(key, value, directory);
                untrusted.extend((!is_trusted).then(|| key.clone()));
                is_trusted
            });
        }
        let is_roots = |path: &Path| fs::metadata(path).is_ok_and(|file| file.uid() == 0 && file.mode() & 0o022 == 0);
        self.config = self.config.take().filter(|path| is_roots(path));
    }

    /// A credential exists only while the daemon runs. Without it the value of the settings file counts, if there is one.
    pub(super) fn drop_missing_credentials(&mut self) {
        for layer in [&mut self.variables, &mut self.flags] {
            layer.retain(|_, value| !is_below(value, Path::new(CREDENTIALS)) || Path::new(value).exists());
        }
    }
}

/// Whether root may use another user's value for this key.
pub(super) fn is_harmless(key: &str, value: &str, directory: &Path) -> bool {
    match key {
        "journal.path" | "archive.path" | "guards.halt_file" => is_below(value, directory),
        "market.calendar" => matches!(value, "fx" | "always" | "auto"),
        "market.holidays" | "model.confidence_reference" => false,
        _ if key.ends_with("_file") => is_below(value, Path::new(CREDENTIALS)),
        _ => true,
    }
}

fn is_below(path: &str, folder: &Path) -> bool {
    let path = Path::new(path);
    path.starts_with(folder) && !path.components().any(|part| part == Component::ParentDir)
}
