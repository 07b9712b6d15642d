//! `manifest.json`: of what a dataset was made, and how.

use super::{Recipe, source::Source};
use crate::process::build_info;
use anyhow::Context;
use sentinel_actors::{domain::window::Gap, fetcher::OnGap};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs::File, io::Write, path::Path};

/// Of this layout.
const SCHEMA: u32 = 1;
/// Gaps that are listed: years of minutes have many thousands of one minute.
const GAPS_MAX: usize = 1_000;

pub(super) fn write(
    folder: &Path,
    sources: &[Source],
    recipe: &Recipe,
    rows: usize,
    files: BTreeMap<&'static str, String>,
) -> anyhow::Result<()> {
    let build = build_info();
    let manifest = json!({
        "schema": SCHEMA,
        "made_by": format!("sentinel {}", build.version),
        "revision": build.revision,
        "symbols": sources.iter().map(|source| &source.symbol).collect::<Vec<_>>(),
        "rows": rows,
        "interval": recipe.interval.as_str(),
        "interval_s": recipe.interval.nominal_s(),
        "lookback_bars": recipe.lookback_bars,
        "hour_and_weekday": recipe.time_columns,
        "calendar": recipe.calendar_name,
        "jump_max": recipe.jump_max,
        "on_gap": recipe.on_gap,
        "bars": sources.iter().map(|source| of_source(source, recipe)).collect::<Vec<_>>(),
        "files": files,
    });
    let path = folder.join("manifest.json");
    let text = format!("{manifest:#}\n");
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn of_source(source: &Source, recipe: &Recipe) -> Value {
    let open_time = |bar: Option<&sentinel_actors::domain::bar::Bar>| bar.map(|bar| bar.open_time);
    json!({
        "symbol": source.symbol,
        "file": source.path.file_name().map(|name| name.to_string_lossy()),
        "format": source.format,
        "interval": source.file_interval.as_str(),
        "sha256": source.sha256,
        "bars": source.bars.len(),
        "first_open_time": open_time(source.bars.first()),
        "last_open_time": open_time(source.bars.last()),
        "rows": source.ends.len(),
        "gaps": source.gaps.len(),
        // Close of the bar before, open of the bar after; by length, the longest first.
        "longest_gaps": longest_gaps(source),
        "while_closed": source.while_closed,
        "left_out_while_closed": source.left_out_while_closed,
        "left_out_for_gaps": if recipe.on_gap == OnGap::Stop { source.windows() - source.ends.len() } else { 0 },
        "without_prices": source.without_prices,
    })
}

fn longest_gaps(source: &Source) -> Vec<Value> {
    let mut gaps = source.gaps.clone();
    gaps.sort_by_key(|gap| (gap.from - gap.to, gap.from));
    gaps.truncate(GAPS_MAX);
    let across = |gap: Gap| source.windows_across(gap);
    gaps.into_iter().map(|gap| json!({"from": gap.from, "to": gap.to, "windows_across": across(gap)})).collect()
}
