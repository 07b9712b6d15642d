//! Rows that share a request: how fast they are answered, and whether each gets what it gets alone.

use super::{super::Report, Checks, is_same, ms, server::Refusal, shown};
use sentinel_actors::domain::decision::Prediction;
use std::time::Duration;

/// Requests whose time is taken.
const REQUESTS_TIMED: usize = 5;
/// Most rows that are asked for once more, alone.
const ROWS_ALONE_MAX: usize = 8;

impl Checks<'_> {
    /// All rows in one request, a few times: the odds, and whether the daemon would wait for them.
    pub(super) async fn together(&self, report: &mut Report) -> Option<Vec<Prediction>> {
        let count = self.rows.len();
        let (mut times, mut newest) = (Vec::with_capacity(REQUESTS_TIMED), Vec::new());
        for _ in 0..REQUESTS_TIMED {
            match self.odds(self.rows).await {
                Ok((odds, took)) => {
                    times.push(took);
                    newest = odds;
                }
                Err(refusal) => {
                    let way_out = match refusal {
                        Refusal::Http(_) => refusal.way_out(),
                        _ if count > 1 => {
                            "one row was answered, several are not: mend the model's batching, or model.rows_per_request = 1"
                        }
                        _ => refusal.way_out(),
                    };
                    report.failed("rows", format!("{}: {refusal}", rows(count)), way_out);
                    return None;
                }
            }
        }
        times.sort_unstable();
        self.latency(&times, report);
        Some(newest)
    }

    /// `times` in rising order, at least one.
    fn latency(&self, times: &[Duration], report: &mut Report) {
        let (Some(median), Some(worst)) = (times.get(times.len() / 2), times.last()) else { return };
        let deadline = Duration::from_millis(self.settings.model.deadline_ms);
        let found = format!(
            "{} requests of {}: median {}, worst {}; model.deadline_ms = {}",
            times.len(),
            rows(self.rows.len()),
            ms(*median),
            ms(*worst),
            deadline.as_millis()
        );
        if *worst > deadline {
            let way_out = "the daemon would have given up: raise model.deadline_ms, lower model.rows_per_request, or give \
                           the model server more to compute with";
            report.failed("latency", found, way_out);
        } else if *worst > deadline / 2 {
            report.note("latency", format!("{found}; more than half of it"));
        } else {
            report.ok("latency", found);
        }
        let symbols = self.settings.symbols.0.len();
        let requests = symbols.div_ceil(self.settings.model.rows_per_request.max(1));
        if requests > 1 {
            let total = ms(*worst * u32::try_from(requests).unwrap_or(u32::MAX));
            report.note("latency", format!("{symbols} symbols are {requests} requests in turn: up to {total} a cycle"));
        }
    }

    /// Whether row i of the answer is about row i of the request: each is asked for alone.
    pub(super) async fn order(&self, together: &[Prediction], is_steady: bool, report: &mut Report) {
        let count = self.rows.len();
        if count < 2 {
            report.note("rows", "one symbol, one row a request: with several, their order is looked at, too");
            return;
        }
        let mut alone = Vec::new();
        for (index, row) in self.rows.iter().enumerate().take(ROWS_ALONE_MAX) {
            match self.odds(&[row]).await {
                Ok((odds, _)) => alone.extend(odds),
                Err(refusal) => {
                    report.failed("rows", format!("row {} alone: {refusal}", index + 1), refusal.way_out());
                    return;
                }
            }
        }
        let different = together.iter().zip(&alone).position(|(together, alone)| !is_same(together, alone));
        match different {
            Some(index) => {
                let found = format!(
                    "row {} of {count} gets {}, and alone {}",
                    index + 1,
                    shown(&together[index]),
                    shown(&alone[index])
                );
                if is_steady {
                    let way_out = "a symbol would be traded on odds that are not its own: mend the model's batching, or \
                                   model.rows_per_request = 1";
                    report.failed("rows", found, way_out);
                } else {
                    report.note("rows", format!("{found}; the model is not steady, so that proves nothing"));
                }
            }
            None if alone.windows(2).all(|pair| is_same(&pair[0], &pair[1])) => {
                report.note("rows", format!("{} get the same odds: nothing shows their order", rows(alone.len())));
            }
            None => report.ok("rows", format!("{} of one request are answered as they are alone", rows(alone.len()))),
        }
    }
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}
