//! The words and tables of `soak.html`. Whatever comes from outside is escaped here.

use super::{
    check::{Check, Outcome},
    findings::{Findings, Quantiles},
    math::Quantile,
    snapshot::TIMINGS,
    text::{self, UNKNOWN, escaped, known, number},
};

/// Gaps and restarts that are listed one by one.
const GAPS_SHOWN: usize = 20;

/// The verdict, and what was watched.
pub(super) fn head(found: &Findings) -> String {
    let (class, mark) = if found.is_healthy { ("good", "✓") } else { ("bad", "✗") };
    let failed: Vec<_> = found.checks.iter().filter(|check| check.outcome == Outcome::Failed).collect();
    let failed = match failed.len() {
        0 => format!("All thresholds hold. {}", text::not_judged(found)),
        _ => {
            format!("Failed: {}.", failed.iter().map(|check| check.what.to_lowercase()).collect::<Vec<_>>().join("; "))
        }
    };
    let build = match &found.builds {
        [Some(first), Some(last)] if first != last => format!("{first}, then {last}"),
        [_, Some(last)] => last.clone(),
        _ => format!("build {UNKNOWN}"),
    };
    format!(
        "<div class=\"verdict {class}\">{mark} {}<small>{}</small></div>\n<p class=\"soft\">{}, Sentinel {}. First look \
         {}, then one every {} s; a cycle is due every {} s.</p>",
        escaped(&text::headline(found)),
        escaped(failed.trim_end()),
        escaped(&found.url),
        escaped(&build),
        escaped(&found.began_at),
        number(found.period_seconds),
        number(found.cycle_seconds),
    )
}

/// A table whose columns from the second on, as many as `numbers`, are numbers.
fn table(head: &[&str], rows: &[Vec<String>], numbers: usize) -> String {
    let class = |column: usize| if (1..=numbers).contains(&column) { " class=\"n\"" } else { "" };
    let head: String = head.iter().enumerate().map(|(at, cell)| format!("<th{}>{cell}</th>", class(at))).collect();
    let row = |row: &Vec<String>| {
        let cells = row.iter().enumerate();
        format!("<tr>{}</tr>", cells.map(|(at, cell)| format!("<td{}>{cell}</td>", class(at))).collect::<String>())
    };
    let rows: String = rows.iter().map(row).collect();
    format!("<div class=\"card\"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")
}

/// What was asked for and what was measured.
pub(super) fn thresholds(found: &Findings) -> String {
    let row = |check: &Check| {
        let (class, mark) = match check.outcome {
            Outcome::Passed => ("passed", "✓ passed"),
            Outcome::Failed => ("failed", "✗ failed"),
            Outcome::NotJudged => ("not_judged", "– not judged"),
        };
        vec![
            format!("<b class=\"mark {class}\">{mark}</b>"),
            escaped(check.what),
            escaped(&text::measured(check)),
            escaped(&text::limit(check)),
            format!("<small>{}</small>", escaped(&check.note)),
        ]
    };
    let rows: Vec<_> = found.checks.iter().map(row).collect();
    table(&["", "What", "Measured", "Needed", ""], &rows, 0)
}

/// What the plots' marks mean, if there are any.
pub(super) fn marks(found: &Findings) -> String {
    let mut keys = String::new();
    if !found.looks.gaps.is_empty() {
        keys.push_str("<span class=\"key gap\">no answer: a gap, not a zero</span> &nbsp; ");
    }
    if !found.restarts_s.is_empty() {
        keys.push_str("<span class=\"key restart\">another process answers</span>");
    }
    format!("<p class=\"soft\">{keys}</p>")
}

/// Latencies, errors, and our own looks.
pub(super) fn rest(found: &Findings) -> String {
    format!(
        "<div class=\"plots\"><section><h2>Cycles and failures</h2>{}</section>\n<section>\
         <h2>Latency over the whole run</h2>{}\n<h2>API errors by code</h2>{}</section></div>\n\
         <div class=\"plots\"><section><h2>Memory and open files</h2>{}</section>\n\
         <section><h2>Our own looks</h2>{}</section></div>\n",
        failures(found),
        latencies(found),
        api_errors(found),
        gauges(found),
        looks(found)
    )
}

fn latencies(found: &Findings) -> String {
    let value = |quantile: Option<Quantile>| match quantile {
        None => "none".to_owned(),
        Some(Quantile { value, is_above: true }) => format!("more than {}", text::seconds(value)),
        Some(Quantile { value, is_above: false }) => text::seconds(value),
    };
    let row = |one: &Quantiles| {
        let title = TIMINGS.iter().find(|timing| timing.name == one.name).map_or(one.name, |timing| timing.title);
        vec![escaped(title), known(one.count), value(one.p50), value(one.p90), value(one.p99)]
    };
    let rows: Vec<_> = found.timings.iter().map(row).collect();
    table(&["", "Observed", "p50", "p90", "p99"], &rows, 4)
}

fn failures(found: &Findings) -> String {
    let (cycles, errors) = (&found.cycles, &found.errors);
    let mut rows = vec![
        ("Cycles due", Some(cycles.due)),
        ("Cycles done", cycles.done),
        ("Cycles failed", cycles.failed),
        ("Ticks missed", cycles.missed_ticks),
    ];
    let title = |name: &str| match name {
        "fetches" => "Fetches failed",
        "predictions" => "Predictions failed",
        "sends" => "Sends failed",
        "feature_values" => "Feature values refused or replaced",
        "actor_restarts" => "Restarts of actors",
        _ => "Clock steps",
    };
    rows.extend(errors.failures.iter().map(|(name, count)| (title(name), *count)));
    rows.push(("Failed writes of the journal", errors.journal_write_failures));
    rows.push(("Orders unresolved at most", errors.orders_unresolved_max));
    rows.push(("Restarts of the process", Some(found.restarts_s.len() as f64)));
    let rows: Vec<_> = rows.into_iter().map(|(name, count)| vec![name.to_owned(), known(count)]).collect();
    table(&["", "Count"], &rows, 1)
}

fn api_errors(found: &Findings) -> String {
    let errors = &found.errors;
    let row = |(endpoint, codes): (&String, &std::collections::BTreeMap<String, f64>)| {
        let happened = codes.iter().filter(|(_, count)| **count > 0.0);
        let listed: Vec<_> = happened.map(|(code, count)| format!("{code}: {}", number(*count))).collect();
        let listed = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
        let calls = known(errors.api_calls.get(endpoint).copied());
        vec![escaped(endpoint), calls, number(codes.values().sum()), escaped(&listed)]
    };
    let rows: Vec<_> = errors.api_errors.iter().map(row).collect();
    if rows.is_empty() {
        format!("<p>{UNKNOWN}</p>")
    } else {
        table(&["Endpoint", "Calls", "Errors", "By code"], &rows, 2)
    }
}

fn gauges(found: &Findings) -> String {
    let mib = |bytes: Option<f64>| known(bytes.map(|bytes| bytes / super::check::MIB));
    let (memory, files) = (&found.memory_bytes, &found.open_files);
    let slope = |gauge: &super::findings::Gauge, unit: f64| known(gauge.slope.map(|line| line.per_hour / unit));
    let rows = [
        vec![
            "Resident memory in MiB".into(),
            mib(memory.first),
            mib(memory.last),
            mib(memory.max),
            slope(memory, super::check::MIB),
        ],
        vec!["Open files".into(), known(files.first), known(files.last), known(files.max), slope(files, 1.0)],
    ];
    table(&["", "First", "Last", "Highest", "Per hour"], &rows, 4)
}

fn looks(found: &Findings) -> String {
    let looks = &found.looks;
    let kinds: Vec<_> = looks.failures.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let mut out = format!("<p>{} made, {} found nothing{}.</p>", looks.made, looks.failed, escaped(&kinds));
    let minutes = |seconds: f64| format!("{:.2}", seconds / 60.0);
    if !found.restarts_s.is_empty() {
        let at: Vec<_> = found.restarts_s.iter().take(GAPS_SHOWN).map(|at| minutes(*at)).collect();
        let more = if found.restarts_s.len() > GAPS_SHOWN { " and more" } else { "" };
        out.push_str(&format!("<p>Another process answered for the first time at minute {}{more}.</p>", at.join(", ")));
    }
    if looks.gaps.is_empty() {
        return out;
    }
    let shown = looks.gaps.iter().take(GAPS_SHOWN);
    let row = |gap: &super::record::Gap| {
        vec![minutes(gap.from_s), minutes(gap.to_s), gap.failed.to_string(), escaped(&gap.why)]
    };
    let rows: Vec<_> = shown.map(row).collect();
    out.push_str(&table(&["Last answer at minute", "Next at minute", "Looks", "Why"], &rows, 2));
    if looks.gaps.len() > GAPS_SHOWN {
        out.push_str(&format!("<p class=\"soft\">and {} more, in soak.json</p>", looks.gaps.len() - GAPS_SHOWN));
    }
    out
}
