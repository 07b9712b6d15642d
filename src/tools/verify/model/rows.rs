//! Several rows in one request: the latency, and whether each gets the same answer as alone.

use super::{super::Report, Checks, is_same, ms, server::ModelRefusal, shown};
use sentinel_actors::domain::decision::Prediction;
use std::time::Duration;

/// Requests that are timed.
const REQUESTS_TIMED: usize = 5;
/// Most rows that are sent again, alone.
const ROWS_ALONE_MAX: usize = 8;

impl Checks<'_> {
    /// Sends all rows in one request, a few times: returns the odds, and checks the latency against the daemon's deadline.
    pub(super) async fn together(&self, report: &mut Report) -> Option<Vec<Prediction>> {
        let count = self.rows.len();
        let (mut times, mut newest) = (Vec::with_capacity(REQUESTS_TIMED), Vec::new());
        for _ in 0..REQUESTS_TIMED {
            match self.predict(self.rows).await {
                Ok((predictions, took)) => {
                    times.push(took);
                    newest = predictions;
                }
                Err(refusal) => {
                    let advice = match refusal {
                        ModelRefusal::Http(_) => refusal.advice(),
                        _ if count > 1 => {
                            "one row was answered, but not several: fix the model's batching, or set model.rows_per_request = 1"
                        }
                        _ => refusal.advice(),
                    };
                    report.failed("rows", format!("{}: {refusal}", rows(count)), advice);
                    return None;
                }
            }
        }
        times.sort_unstable();
        self.latency(&times, report);
        Some(newest)
    }

    /// Reports the latency; `times` are in rising order, at least one.
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
            let advice = "the daemon would have given up: raise model.deadline_ms, lower model.rows_per_request, or use a \
                          faster machine for the model server";
            report.failed("latency", found, advice);
        } else if *worst > deadline / 2 {
            report.note("latency", format!("{found}; the worst is more than half of it"));
        } else {
            report.ok("latency", found);
        }
        let symbols = self.settings.symbols.len();
        let requests = symbols.div_ceil(self.settings.model.rows_per_request.max(1));
        if requests > 1 {
            let total = ms(*worst * u32::try_from(requests).unwrap_or(u32::MAX));
            report.note(
                "latency",
                format!("{symbols} symbols need {requests} requests one after another: up to {total} per cycle"),
            );
        }
    }

    /// Checks that row i of the answer belongs to row i of the request, by sending each row alone.
    pub(super) async fn order(&self, together: &[Prediction], is_steady: bool, report: &mut Report) {
        let count = self.rows.len();
        if count < 2 {
            report.note("rows", "one symbol, one row per request: with several, their order is checked, too");
            return;
        }
        let mut alone = Vec::new();
        for (index, row) in self.rows.iter().enumerate().take(ROWS_ALONE_MAX) {
            match self.predict(&[row]).await {
                Ok((predictions, _)) => alone.extend(predictions),
                Err(refusal) => {
                    report.failed("rows", format!("row {} alone: {refusal}", index + 1), refusal.advice());
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
                    let advice = "a symbol would be traded on another symbol's odds: fix the model's batching, or set \
                                  model.rows_per_request = 1";
                    report.failed("rows", found, advice);
                } else {
                    report.note("rows", format!("{found}; the model is not deterministic, so this proves nothing"));
                }
            }
            None if alone.windows(2).all(|pair| is_same(&pair[0], &pair[1])) => {
                report
                    .note("rows", format!("{} get the same odds, so their order cannot be checked", rows(alone.len())));
            }
            None => report.ok("rows", format!("{} of one request get the same answers as alone", rows(alone.len()))),
        }
    }
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}
