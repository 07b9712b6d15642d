//! Checks that all series of the daemon are stored, above all those that the rules read: relabelling can drop or change series
//! silently, and an alert without its series never fires.

use super::{
    super::Report,
    config::Running,
    prometheus::Prometheus,
    rule_inputs::{ABSENT_UNTIL_KNOWN, RuleInputs},
    scrape_target::{Fetched, Target},
};
use crate::tools::probe::{Exposition, contract, exposition::Sample};
use sentinel_actors::domain::sanitize::one_line;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(500);
/// Most names that are listed, of those that no rule reads.
const SHOWN_MAX: usize = 10;

/// Number of series by name.
type Counts = BTreeMap<String, usize>;

/// Differences between the page and the stored series.
#[derive(Debug, Default)]
struct Lost {
    /// By name, how many series are stored, and how many should be.
    fewer: BTreeMap<String, (usize, usize)>,
    /// Stored with other labels than on the page.
    relabelled: BTreeSet<String>,
}

/// Checks that the series arrive, and are those of the page.
pub(super) async fn check(
    prometheus: &Prometheus,
    target: &Target,
    fetched: Fetched<'_>,
    running: &Running,
    needs: &RuleInputs<'_>,
    report: &mut Report,
) {
    match arrived(prometheus, target).await {
        Ok(found) => match lost(prometheus, target, fetched, needs).await {
            Ok(lost) => judge(found, &lost, fetched.page, running, needs, report),
            Err(why) => report.failed("series", why, "see Prometheus's log"),
        },
        Err(why) => {
            let advice = "the target is up: see metric_relabel_configs of the job, and Prometheus's log";
            report.failed("series", why, advice);
        }
    }
    others(prometheus, needs, report).await;
}

async fn arrived(prometheus: &Prometheus, target: &Target) -> Result<String, String> {
    let cycles = format!("sentinel_trading_cycles_total{}", target.selector());
    let Some(count) = prometheus.value(&cycles).await? else { return Err(format!("{cycles} gives nothing")) };
    let age_s = prometheus.value(&format!("time() - max(timestamp({cycles}))")).await?.unwrap_or(f64::INFINITY);
    if age_s > 3.0 * target.interval().as_secs_f64() {
        return Err(format!("the newest sample is {age_s:.0} s old"));
    }
    Ok(format!("{count} cycles, newest sample {age_s:.1} s old"))
}

/// Compares the stored series with the page, once Prometheus has a newer scrape.
async fn lost(
    prometheus: &Prometheus,
    target: &Target,
    fetched: Fetched<'_>,
    needs: &RuleInputs<'_>,
) -> Result<Lost, String> {
    let (began, wait) = (Instant::now(), target.interval() * 2);
    loop {
        let scraped_s = format!("max(timestamp(sentinel_trading_cycles_total{}))", target.selector());
        let scraped_s = prometheus.value(&scraped_s).await?.unwrap_or_default();
        let lost = compared(&stored(prometheus, target).await?, fetched.page, needs);
        let lost = Lost { relabelled: relabelled(prometheus, target, fetched.page, needs, &lost).await?, fewer: lost };
        let is_none = lost.fewer.is_empty() && lost.relabelled.is_empty();
        let is_newer = scraped_s > fetched.at.timestamp_millis() as f64 / 1e3;
        if is_none || is_newer || began.elapsed() > wait {
            return Ok(lost);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn stored(prometheus: &Prometheus, target: &Target) -> Result<Counts, String> {
    let groups = prometheus.query(&format!("count by (__name__) ({})", target.selector())).await?;
    let count = |group: &serde_json::Value| {
        Some((group["metric"]["__name__"].as_str()?.to_owned(), group["value"][1].as_str()?.parse().ok()?))
    };
    Ok(groups.iter().filter_map(count).collect())
}

/// The series of the page, of the contract and of the rules of which fewer are stored than should be.
fn compared(stored: &Counts, page: Option<&Exposition>, needs: &RuleInputs<'_>) -> BTreeMap<String, (usize, usize)> {
    let mut wanted = Counts::new();
    for sample in page.into_iter().flat_map(|page| &page.families).flat_map(|family| &family.samples) {
        *wanted.entry(sample.name.clone()).or_default() += 1;
    }
    let has =
        |names: &Counts, family: &str| names.contains_key(family) || names.contains_key(&format!("{family}_bucket"));
    let contract = contract::names().filter(|family| !has(&wanted, family) && !has(stored, family));
    for family in contract.collect::<Vec<_>>() {
        wanted.insert(family.to_owned(), 1);
    }
    let needed = needs.of_inf.keys().filter(|name| !ABSENT_UNTIL_KNOWN.contains(&name.as_str()));
    for name in needed.filter(|name| !wanted.contains_key(*name)).cloned().collect::<Vec<_>>() {
        wanted.insert(name, 1);
    }
    let is_of = |name: &str| stored.get(name).copied().unwrap_or_default();
    wanted
        .into_iter()
        .map(|(name, count)| (is_of(&name), count, name))
        .filter(|(is, count, _)| is < count)
        .map(|(is, count, name)| (name, (is, count)))
        .collect()
}

/// What a rule reads of one sample per name is looked up with all its labels.
async fn relabelled(
    prometheus: &Prometheus,
    target: &Target,
    page: Option<&Exposition>,
    needs: &RuleInputs<'_>,
    fewer: &BTreeMap<String, (usize, usize)>,
) -> Result<BTreeSet<String>, String> {
    let Some(page) = page else { return Ok(BTreeSet::new()) };
    let first = |name: &String| page.samples(name).next().cloned();
    let samples = needs.of_inf.keys().filter(|name| !fewer.contains_key(*name)).filter_map(first);
    let samples = samples.filter(|sample| !sample.labels.is_empty()).collect::<Vec<_>>();
    if samples.is_empty() {
        return Ok(BTreeSet::new());
    }
    // For `or`, two families with the same labels are the same series, so each gets its name as an additional label.
    let named = |sample: &Sample| {
        format!(r#"label_replace({}, "looked_up", "{}", "", "")"#, selector(sample, target), sample.name)
    };
    let found = prometheus.query(&samples.iter().map(named).collect::<Vec<_>>().join(" or ")).await?;
    let found = found.iter().filter_map(|it| it["metric"]["looked_up"].as_str()).collect::<BTreeSet<_>>();
    let names = samples.iter().map(|sample| sample.name.as_str());
    Ok(names.filter(|name| !found.contains(name)).map(str::to_owned).collect())
}

fn selector(sample: &Sample, target: &Target) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    // Prometheus 3 spells a bound in its own way.
    let labels = sample.labels.iter().filter(|(name, _)| *name != "le");
    let labels = labels.map(|(name, value)| format!("{name}={}", quoted(value)));
    let of_target = ["job", "instance"].map(|name| format!("{name}={}", quoted(target.label(name))));
    format!("{}{{{}}}", sample.name, labels.chain(of_target).collect::<Vec<_>>().join(","))
}

fn judge(
    arrived: String,
    lost: &Lost,
    page: Option<&Exposition>,
    running: &Running,
    needs: &RuleInputs<'_>,
    report: &mut Report,
) {
    let blind = blind(lost, page, needs);
    if !blind.is_empty() {
        let relabels = if running.relabels.is_empty() {
            "the job has no relabelling: is the daemon older than the rules?".to_owned()
        } else {
            format!(
                "the job relabels: {}. Remove the rules that drop or change Sentinel's series",
                running.relabels.join("; ")
            )
        };
        return report.failed("series", blind.join("\n"), relabels);
    }
    if lost.fewer.is_empty() {
        let found = match page {
            Some(page) => format!("all {} series of its page are stored; {arrived}", page.series()),
            None => format!("all series that the rules read are stored; {arrived}"),
        };
        return report.ok("series", found);
    }
    let names = lost.fewer.iter().take(SHOWN_MAX).map(|(name, counts)| counted(name, *counts, page));
    let names = names.collect::<Vec<_>>().join(", ");
    let more = lost.fewer.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    report.note("series", format!("{arrived}; no alert reads these, but the dashboard may lack them: {names}{more}"));
}

/// The series that rules or HUB's history lack, a line for each name.
fn blind(lost: &Lost, page: Option<&Exposition>, needs: &RuleInputs<'_>) -> Vec<String> {
    let readers = |name: &str| {
        let rules = needs.of_inf.get(name)?.iter().copied().collect::<Vec<_>>();
        Some(rules.join(", "))
    };
    let needed = lost.fewer.iter().filter_map(|(name, counts)| {
        let readers = readers(name)?;
        Some(format!("{}: these rules need it: {readers}", counted(name, *counts, page)))
    });
    let changed = lost.relabelled.iter().filter_map(|name| {
        Some(format!("{name} is stored with other labels than on the page: these rules need them: {}", readers(name)?))
    });
    let is_contract = |name: &str| contract::names().any(|family| is_of_family(name, family));
    let contract = lost.fewer.iter().filter(|(name, _)| readers(name).is_none() && is_contract(name));
    let contract = contract.map(|(name, counts)| format!("{}: part of HUB's history", counted(name, *counts, page)));
    needed.chain(changed).chain(contract).collect()
}

/// How many of a name's series are stored.
fn counted(name: &str, (stored, wanted): (usize, usize), page: Option<&Exposition>) -> String {
    let is_reported = || page.is_none_or(|page| page.samples(name).next().is_some());
    match stored {
        0 if !is_reported() => format!("{name} is not reported by this daemon"),
        0 => format!("{name} is not stored"),
        stored => format!("{name}: {stored} of {wanted} series are stored"),
    }
}

fn is_of_family(name: &str, family: &str) -> bool {
    let rest = name.strip_prefix(family);
    rest.is_some_and(|rest| matches!(rest, "" | "_bucket" | "_sum" | "_count"))
}

/// Checks that the rules are about this target's job.
pub(super) fn watched(target: &Target, needs: &RuleInputs<'_>, prometheus: &Prometheus, report: &mut Report) {
    let job = one_line(target.label("job"));
    let jobs = needs.jobs.iter().map(|it| one_line(it)).collect::<Vec<_>>().join(", ");
    if needs.jobs.is_empty() || needs.jobs.contains(target.label("job")) {
        return report.ok("watched", format!("the rules are about job {job}"));
    }
    let advice = format!(
        "give the scrape job that name; or load your own rules with job=\"{job}\", and name their file with --rules; then {}",
        prometheus.reload()
    );
    report.failed("watched", format!("the rules are only about job {jobs}, so none of them covers job {job}"), advice);
}

/// Checks the families of Prometheus and Alertmanager that monitor HUB itself.
async fn others(prometheus: &Prometheus, needs: &RuleInputs<'_>, report: &mut Report) {
    if needs.of_others.is_empty() {
        return;
    }
    let names = needs.of_others.keys().map(String::as_str).collect::<Vec<_>>();
    let stored = prometheus.query(&format!("group by (__name__) ({{__name__=~\"{}\"}})", names.join("|"))).await;
    let stored = match stored {
        Ok(stored) => stored,
        Err(why) => return report.failed("hub itself", why, "see Prometheus's log"),
    };
    let stored = stored.iter().filter_map(|it| it["metric"]["__name__"].as_str()).collect::<BTreeSet<_>>();
    let missing = needs.of_others.iter().filter(|(name, _)| !stored.contains(name.as_str()));
    let missing = missing.map(|(name, rules)| {
        format!("{name} is not stored: these rules need it: {}", rules.iter().copied().collect::<Vec<_>>().join(", "))
    });
    let missing = missing.collect::<Vec<_>>();
    if missing.is_empty() {
        report.ok("hub itself", format!("{} families of other programs that the rules read are stored", names.len()));
    } else {
        let advice = "HUB does not monitor itself: add the other jobs of config/monitoring/prometheus.yml, too";
        report.warning("hub itself", missing.join("\n"), advice);
    }
}
