//! The daemon's own text of metrics, read back: what is shown in the console is what Prometheus gets.

use std::collections::HashMap;

/// The samples, by name and labels as they are written.
pub(super) struct Samples<'a>(HashMap<&'a str, f64>);

impl<'a> Samples<'a> {
    /// Those of a text in the classic format; lines that are no samples are left out.
    pub fn of(text: &'a [u8]) -> Self {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let sample = |line: &'a str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name, value.parse().ok()?))
        };
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    /// The value of one.
    pub fn get(&self, sample: &str) -> Option<f64> {
        self.0.get(sample).copied()
    }

    /// The same as a whole number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts, below 2^53
    pub fn count(&self, sample: &str) -> Option<u64> {
        self.get(sample).filter(|value| *value >= 0.0).map(|value| value as u64)
    }

    /// The sum of all counts whose name and labels begin so.
    pub fn sum(&self, beginning: &str) -> u64 {
        let names = self.0.keys().filter(|name| name.starts_with(beginning));
        names.filter_map(|name| self.count(name)).sum()
    }

    /// The least bound of a histogram's bucket up to which this share was counted; `None` if nothing was, or if it lies above
    /// the last bound.
    pub fn quantile(&self, family: &str, share: f64) -> Option<f64> {
        let beginning = format!("{family}_bucket{{le=\"");
        let bound = |(name, count): (&&str, &f64)| {
            let bound = name.strip_prefix(&beginning)?.strip_suffix("\"}")?;
            Some((bound.parse::<f64>().ok()?, *count))
        };
        let mut buckets: Vec<_> = self.0.iter().filter_map(bound).collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        let all = buckets.last().map(|(_, count)| *count).filter(|all| *all > 0.0)?;
        buckets.into_iter().find(|(_, count)| *count >= share * all).map(|(bound, _)| bound).filter(|it| it.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP x y\na 1\nb{l=\"v\"} 2.5\nb{l=\"w\"} 3\n\
                        h_bucket{le=\"0.1\"} 5\nh_bucket{le=\"1\"} 9\nh_bucket{le=\"+Inf\"} 10\nh_count 10\n";

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let samples = Samples::of(TEXT.as_bytes());
        assert_eq!((samples.get("a"), samples.get("b{l=\"v\"}"), samples.sum("b{")), (Some(1.0), Some(2.5), 5));
        let quantiles = [0.5, 0.51, 0.9, 0.95].map(|share| samples.quantile("h", share));
        assert_eq!(quantiles, [Some(0.1), Some(1.0), Some(1.0), None]);
        assert_eq!((samples.quantile("none", 0.5), samples.count("h_count")), (None, Some(10)));
        let empty = Samples::of(b"h_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 0\n");
        assert_eq!(empty.quantile("h", 0.5), None);
    }
}
