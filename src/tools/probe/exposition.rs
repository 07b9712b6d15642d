//! A strict parser of `/metrics`, format 0.0.4. Prometheus 2.42 stores duplicate series, falling buckets and negative counters
//! without an error, so a successful scrape proves little.

mod checks;
mod sample_line;
#[cfg(test)]
mod tests;

use sample_line::{Line, SampleLine};
use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// One line of text.
    pub what: String,
}

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations per bucket.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// Label names and values, including a bucket's `le` as it was written.
pub type Labels = BTreeMap<String, String>;

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Full name, `..._bucket` included.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// Line, from 1.
    line: usize,
}

/// One family with all its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Name in the `# TYPE` line.
    pub name: String,
    /// Help text, unescaped.
    pub help: String,
    /// Type.
    pub kind: Kind,
    /// In the order of the text.
    pub samples: Vec<Sample>,
}

/// A whole text without faults.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposition {
    /// In the order of the text.
    pub families: Vec<Family>,
}

impl Exposition {
    /// Reads a text. Types other than counter, gauge and histogram are not part of the contract and are refused.
    ///
    /// # Errors
    /// The first fault: an invalid line, a family without HELP or TYPE or in several parts, a duplicate series, a negative
    /// counter, a histogram whose buckets fall, lack `+Inf` or contradict its count.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut reading = Reading::default();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let fault = |what: String| Fault { line: index + 1, what };
            let Some(line) = line.strip_suffix('\n') else {
                return Err(fault("the last line has no line break: the text is cut off".into()));
            };
            reading.take(sample_line::read(line).map_err(fault)?, index + 1).map_err(fault)?;
        }
        let families = reading.families;
        for family in &families {
            checks::family(family)?;
        }
        Ok(Self { families })
    }

    /// The family of this name.
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// The value of the sample with exactly these labels; of a histogram, `..._count` or `..._sum`.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is_it = |sample: &&Sample| {
            sample.name == name
                && sample.labels.len() == labels.len()
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        };
        self.samples(name).find(is_it).map(|sample| sample.value)
    }

    /// All samples of this name.
    pub fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        let families =
            self.families.iter().filter(move |family| family.kind.sample_names(&family.name).any(|it| it == name));
        families.flat_map(|family| &family.samples).filter(move |sample| sample.name == name)
    }

    /// The sum over all samples of this name; `None` if there are none.
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.samples(name).map(|sample| sample.value).reduce(|sum, value| sum + value)
    }

    /// The cumulative buckets of a histogram without labels: upper bound and count, `+Inf` last; empty if there is none.
    pub fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let bound = |sample: &Sample| sample.labels.get("le")?.parse().ok();
        self.samples(&format!("{name}_bucket")).filter_map(|sample| Some((bound(sample)?, sample.value))).collect()
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.families.iter().map(|family| family.samples.len()).sum()
    }
}

impl Kind {
    /// The names that samples of a family have.
    fn sample_names(self, family: &str) -> impl Iterator<Item = String> {
        let suffixes: &[&str] = match self {
            Self::Counter | Self::Gauge => &[""],
            Self::Histogram => &["_bucket", "_sum", "_count"],
        };
        suffixes.iter().map(move |suffix| format!("{family}{suffix}"))
    }
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    families: Vec<Family>,
    /// HELP that waits for its TYPE.
    help: Option<(String, String)>,
    names: HashSet<String>,
    series: HashSet<(String, Labels)>,
}

impl Reading {
    fn take(&mut self, line: Line, number: usize) -> Result<(), String> {
        match line {
            Line::Empty => Ok(()),
            Line::Help { name, text } => match self.help.replace((name, text)) {
                Some((waiting, _)) => Err(format!("{waiting} has HELP and no TYPE")),
                None => Ok(()),
            },
            Line::Type { name, kind } => self.begin(name, kind),
            Line::Sample(sample) => self.add(sample, number),
        }
    }

    fn begin(&mut self, name: String, kind: Kind) -> Result<(), String> {
        let help = match self.help.take() {
            Some((helped, help)) if helped == name => help,
            _ => return Err(format!("{name} has TYPE and no HELP right before it")),
        };
        if !self.names.insert(name.clone()) {
            return Err(format!("the family {name} is declared twice"));
        }
        self.families.push(Family { name, help, kind, samples: Vec::new() });
        Ok(())
    }

    fn add(&mut self, SampleLine { name, labels, value }: SampleLine, line: usize) -> Result<(), String> {
        if let Some((waiting, _)) = &self.help {
            return Err(format!("{waiting} has HELP and no TYPE"));
        }
        let family =
            self.families.last_mut().filter(|family| family.kind.sample_names(&family.name).any(|it| it == name));
        let Some(family) = family else {
            return Err(format!("{name} does not belong to the family declared above it"));
        };
        if !self.series.insert((name.clone(), labels.clone())) {
            return Err(format!("the series {name}{labels:?} is a duplicate"));
        }
        family.samples.push(Sample { name, labels, value, line });
        Ok(())
    }
}
