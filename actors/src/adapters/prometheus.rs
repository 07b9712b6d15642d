//! Prometheus: the catalogue of metric families, their text exposition, and the values from `/proc` about this process. Only
//! the MetricsActor uses the metrics.

mod catalogue;
mod encode;
mod format;
mod process;
#[cfg(test)]
mod tests;

pub use catalogue::{CLAIM_RESULTS, ERROR_CODES, FAILING_STAGES, FAMILIES, LEDGERS, Metrics, OTHER};
pub use format::Format;
pub use process::ProcessReader;

use crate::domain::{build_info::BuildInfo, instrument::Symbol};
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, Result,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use std::time::Duration;

/// The type of a family, as in its `# TYPE` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations per bucket.
    Histogram,
}

/// The values of a label; a child exists for each of them from the start.
pub type LabelValues = fn(&Given) -> Vec<String>;

/// One metric family.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Full name.
    pub name: &'static str,
    /// Help text.
    pub help: &'static str,
    /// Type.
    pub kind: Kind,
    /// Base unit; `count`, `ratio` and `1` have none.
    pub unit: &'static str,
    /// Upper bounds of a histogram's buckets, without `+Inf`.
    pub buckets: &'static [f64],
    /// Label names, each with its values.
    pub labels: &'static [(&'static str, LabelValues)],
    /// Whether it has no sample, and thus no line, until it gets a value.
    pub is_absent_at_first: bool,
}

/// The input for label values and creation times: known at the start, and constant.
#[derive(Debug, Clone)]
pub struct Given {
    /// The configured symbols.
    pub symbols: Vec<Symbol>,
    /// The build that is running.
    pub build: BuildInfo,
    /// Time of creation since the unix epoch. All children are created at the start, because all label values are known then.
    pub now: Duration,
}

impl Given {
    fn symbols(&self) -> Vec<String> {
        self.symbols.iter().map(Symbol::to_string).collect()
    }

    fn symbols_and_other(&self) -> Vec<String> {
        self.symbols().into_iter().chain([OTHER.to_owned()]).collect()
    }
}

fn names<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Vec<String> {
    all.iter().map(|&value| name(value).to_owned()).collect()
}

impl Family {
    fn register<H: Handle>(&self, registry: &Registry, given: &Given) -> Result<H> {
        let handle = H::new(self)?;
        registry.register(Box::new(handle.clone()))?;
        if !self.labels.is_empty() {
            // None of a family that is absent at first.
            for values in self.children(given) {
                handle.add_child(&values.iter().map(String::as_str).collect::<Vec<_>>())?;
            }
        }
        Ok(handle)
    }

    /// Whether it has a child for each symbol.
    pub(crate) fn is_by_symbol(&self) -> bool {
        self.labels.iter().any(|(label, _)| *label == "symbol")
    }

    /// The label values of every child that exists from the start. For a family without labels this is one empty list; for
    /// one that is absent at first it is empty.
    pub fn children(&self, given: &Given) -> Vec<Vec<String>> {
        if self.is_absent_at_first {
            return Vec::new();
        }
        self.labels.iter().fold(vec![vec![]], |children, (_, values)| {
            let values = values(given);
            let with = |child: &Vec<String>, value: &String| child.iter().chain([value]).cloned().collect();
            children.iter().flat_map(|child| values.iter().map(move |value| with(child, value))).collect()
        })
    }
}

/// A type of the `prometheus` crate that holds a family.
pub(crate) trait Handle: Collector + Clone + 'static {
    /// Its type in Prometheus.
    const KIND: Kind;
    /// See [`Family::is_absent_at_first`].
    const IS_ABSENT_AT_FIRST: bool = false;

    /// Creates it, without children.
    fn new(family: &Family) -> Result<Self>;

    /// Creates the child with these label values.
    fn add_child(&self, _values: &[&str]) -> Result<()> {
        Ok(())
    }
}

macro_rules! handles {
    ($($plain:ident, $with_labels:ident: $kind:ident;)+) => {$(
        impl Handle for $plain {
            const KIND: Kind = Kind::$kind;

            fn new(family: &Family) -> Result<Self> {
                Self::with_opts(Opts::new(family.name, family.help))
            }
        }

        impl Handle for $with_labels {
            const KIND: Kind = Kind::$kind;

            fn new(family: &Family) -> Result<Self> {
                let labels = family.labels.iter().map(|(label, _)| *label).collect::<Vec<_>>();
                Self::new(Opts::new(family.name, family.help), &labels)
            }

            fn add_child(&self, values: &[&str]) -> Result<()> {
                self.get_metric_with_label_values(values).map(drop)
            }
        }
    )+};
}

handles! {
    IntCounter, IntCounterVec: Counter;
    IntGauge, IntGaugeVec: Gauge;
    Gauge, GaugeVec: Gauge;
}

/// A gauge without labels that has a sample only while its value is known, because 0 could be a real value.
#[derive(Clone)]
pub struct ReportedGauge(GaugeVec);

impl ReportedGauge {
    /// Shows this value; with `None`, no sample.
    pub fn set(&self, value: Option<f64>) {
        match value {
            Some(value) => self.0.with_label_values(NO_LABELS).set(value),
            // An error means that there is no sample.
            None => drop(self.0.remove_label_values(NO_LABELS)),
        }
    }
}

/// The same with labels: each child has a sample only while its value is known.
#[derive(Clone)]
pub struct ReportedGaugeVec(GaugeVec);

impl ReportedGaugeVec {
    /// Shows this value; with `None`, no sample.
    pub fn set(&self, labels: &[&str], value: Option<f64>) {
        match value {
            Some(value) => self.0.with_label_values(labels).set(value),
            // An error means that there is no sample.
            None => drop(self.0.remove_label_values(labels)),
        }
    }
}

impl Collector for ReportedGaugeVec {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.collect()
    }
}

impl Handle for ReportedGaugeVec {
    const KIND: Kind = Kind::Gauge;
    const IS_ABSENT_AT_FIRST: bool = true;

    fn new(family: &Family) -> Result<Self> {
        let labels = family.labels.iter().map(|(label, _)| *label).collect::<Vec<_>>();
        GaugeVec::new(Opts::new(family.name, family.help), &labels).map(Self)
    }
}

const NO_LABELS: &[&str] = &[];

impl Collector for ReportedGauge {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.collect()
    }
}

impl Handle for ReportedGauge {
    const KIND: Kind = Kind::Gauge;
    const IS_ABSENT_AT_FIRST: bool = true;

    fn new(family: &Family) -> Result<Self> {
        GaugeVec::new(Opts::new(family.name, family.help), NO_LABELS).map(Self)
    }
}

impl Handle for Counter {
    const KIND: Kind = Kind::Counter;

    fn new(family: &Family) -> Result<Self> {
        Self::with_opts(Opts::new(family.name, family.help))
    }
}

impl Handle for Histogram {
    const KIND: Kind = Kind::Histogram;

    fn new(family: &Family) -> Result<Self> {
        Self::with_opts(HistogramOpts::new(family.name, family.help).buckets(family.buckets.to_vec()))
    }
}
