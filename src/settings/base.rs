//! `config/base.toml`, compiled in: the defaults, and thus the list of all settings.

use super::Settings;
use config::{Config, File, FileFormat};

pub(super) const BASE: &str = include_str!("../../config/base.toml");

/// The names of the sections.
pub(super) fn sections() -> Vec<String> {
    let base = toml::from_str::<toml::Table>(BASE).unwrap_or_default();
    base.into_iter().filter(|(_, value)| value.is_table()).map(|(section, _)| section).collect()
}

/// Whether a setting with this key (`section.key`) exists.
pub(super) fn is_setting(key: &str) -> bool {
    let base = Config::builder().add_source(File::from_str(BASE, FileFormat::Toml));
    let Ok(merged) = base.set_override(key, "").and_then(|builder| builder.build()) else { return false };
    merged.try_deserialize::<Settings>().err().is_none_or(|error| !error.to_string().contains("unknown field"))
}
