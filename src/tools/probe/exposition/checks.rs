//! Rules for the samples of a family.

use super::{Family, Fault, Kind, Labels, Sample};
use std::collections::BTreeMap;

/// Checks a whole family.
pub(super) fn family(family: &Family) -> Result<(), Fault> {
    match family.kind {
        Kind::Gauge => Ok(()),
        Kind::Counter => family.samples.iter().try_for_each(|sample| {
            let is_count = sample.value >= 0.0;
            ensure(is_count, sample, || format!("the counter {} is {}", sample.name, sample.value))
        }),
        Kind::Histogram => histogram(family),
    }
}

fn ensure(holds: bool, sample: &Sample, what: impl FnOnce() -> String) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault { line: sample.line, what: what() }) }
}

/// A histogram's child: its buckets in order, its sum and its count.
#[derive(Default)]
struct Child<'a> {
    buckets: Vec<(f64, &'a Sample)>,
    sum: Option<&'a Sample>,
    count: Option<&'a Sample>,
}

fn histogram(family: &Family) -> Result<(), Fault> {
    let mut children: BTreeMap<Labels, Child<'_>> = BTreeMap::new();
    for sample in &family.samples {
        let mut labels = sample.labels.clone();
        let le = labels.remove("le");
        let child = children.entry(labels).or_default();
        match (sample.name.strip_prefix(&family.name), le) {
            (Some("_bucket"), Some(le)) => {
                let bound = if le == "+Inf" { Ok(f64::INFINITY) } else { le.parse() };
                let bound = bound.ok().filter(|bound: &f64| !bound.is_nan());
                ensure(bound.is_some(), sample, || format!("le={le:?} is not a bound"))?;
                child.buckets.extend(bound.map(|bound| (bound, sample)));
            }
            (Some("_bucket"), None) => ensure(false, sample, || format!("a bucket of {} has no le", family.name))?,
            (Some("_sum"), None) => child.sum = Some(sample),
            (Some("_count"), None) => child.count = Some(sample),
            _ => ensure(false, sample, || format!("{} has an le", sample.name))?,
        }
    }
    children.values().try_for_each(|child| one(&family.name, child))
}

fn one(name: &str, child: &Child<'_>) -> Result<(), Fault> {
    for pair in child.buckets.windows(2) {
        let [(lower, fewer), (upper, more)] = pair else { continue };
        ensure(lower < upper, more, || format!("the bounds of {name} do not rise at {upper}"))?;
        ensure(fewer.value <= more.value, more, || format!("the buckets of {name} fall at le={upper}"))?;
    }
    let any = child.buckets.first().map(|(_, sample)| *sample).or(child.count).or(child.sum);
    let Some(any) = any else { return Ok(()) };
    let last = child.buckets.last().filter(|(bound, _)| bound.is_infinite());
    // With bounds below zero OpenMetrics forbids both: a sum could fall. Then the last bucket has the count.
    let is_signed = child.buckets.first().is_some_and(|(bound, _)| *bound < 0.0);
    let (count, sum) = match last {
        Some((_, all)) if is_signed => (child.count.or(Some(*all)), child.sum.or(Some(*all))),
        _ => (child.count, child.sum),
    };
    let (Some((_, all)), Some(count), Some(_)) = (last, count, sum) else {
        return ensure(false, any, || format!("{name} lacks its +Inf bucket, its sum or its count"));
    };
    ensure(all.value == count.value, count, || format!("{name} has {} in +Inf and counts {}", all.value, count.value))?;
    let is_count = count.value >= 0.0 && child.buckets.iter().all(|(_, bucket)| bucket.value >= 0.0);
    ensure(is_count, count, || format!("{name} has a negative count"))
}
