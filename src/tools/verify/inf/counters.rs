//! The changes between two scrapes: uptime and cycles rise, and no counter falls.

use super::{Report, daemon, not_checked};
use crate::process::output::complain;
use crate::tools::probe::{Client, Exposition, Kind};
use std::time::{Duration, Instant};

const UPTIME: &str = "sentinel_daemon_uptime_seconds";
const CYCLES: &str = "sentinel_trading_cycles_total";
const STARTED: &str = "process_start_time_seconds";
/// Time between two scrapes.
const PAUSE: Duration = Duration::from_millis(400);
/// The text is at most a second old, so the uptime must have risen by then.
const UPTIME_WAIT: Duration = Duration::from_secs(3);
/// The usual period; within this time a cycle should end.
const PERIOD: Duration = Duration::from_secs(60);

/// Scrapes again until uptime and the number of cycles have changed, or until `wait` is over.
pub(super) async fn watch(client: &Client, first: &Exposition, wait: Duration, is_over: bool, report: &mut Report) {
    let began = Instant::now();
    let deadline = if is_over { UPTIME_WAIT } else { wait.max(UPTIME_WAIT) };
    if deadline > UPTIME_WAIT {
        complain(&format!("Waiting up to {} s for the end of a cycle ...", deadline.as_secs()));
    }
    let (second, elapsed) = loop {
        tokio::time::sleep(PAUSE).await;
        let second = match again(client).await {
            Ok(second) => second,
            Err(why) => {
                let advice = "the daemon stopped or was restarted; its log shows why";
                report.failed("uptime", format!("the second scrape: {why}"), advice);
                return not_checked(report, &["cycles", "backwards"], "there is no second scrape to compare with");
            }
        };
        let has_changed = |name| rise(first, &second, name).is_some_and(|rise| rise != 0.0);
        let elapsed = began.elapsed();
        if has_changed(UPTIME) && (has_changed(CYCLES) || is_over) || elapsed >= deadline {
            break (second, elapsed);
        }
    };
    uptime(first, &second, elapsed, report);
    cycles(first, &second, elapsed, is_over, report);
    backwards(first, &second, report);
}

async fn again(client: &Client) -> Result<Exposition, String> {
    let page = daemon::fetched(client).await.map_err(|(found, _)| found)?;
    Exposition::parse(&page.text()).map_err(|fault| fault.to_string())
}

fn rise(first: &Exposition, second: &Exposition, name: &str) -> Option<f64> {
    Some(second.value(name, &[])? - first.value(name, &[])?)
}

fn uptime(first: &Exposition, second: &Exposition, elapsed: Duration, report: &mut Report) {
    match rise(first, second, UPTIME) {
        Some(rise) if rise > 0.0 => report.ok("uptime", format!("rose by {rise:.1} s in {:.1} s", secs(elapsed))),
        Some(rise) if rise < 0.0 => {
            report.failed("uptime", format!("fell by {:.1} s", -rise), "the daemon was just restarted: try again")
        }
        _ => {
            let advice = "the text is old: a cache in between, or a daemon that hangs; see /livez";
            report.failed("uptime", format!("did not rise in {:.1} s", secs(elapsed)), advice);
        }
    }
}

fn cycles(first: &Exposition, second: &Exposition, elapsed: Duration, is_over: bool, report: &mut Report) {
    let waited = format!("no cycle ended within {:.0} s", secs(elapsed));
    match rise(first, second, CYCLES) {
        Some(rise) if rise > 0.0 => report.ok("cycles", format!("{rise} ended within {:.1} s", secs(elapsed))),
        _ if is_over => report.note("cycles", "all scheduled cycles have run; there will be no more"),
        _ if elapsed < PERIOD => {
            report.note("cycles", format!("{waited}; a cycle every minute may take longer: --wait 75"))
        }
        _ => {
            let advice = "see the daemon's log; if it runs less often than every minute, wait longer: --wait SECONDS";
            report.failed("cycles", waited, advice);
        }
    }
}

fn backwards(first: &Exposition, second: &Exposition, report: &mut Report) {
    if first.value(STARTED, &[]) != second.value(STARTED, &[]) {
        return report.note("backwards", "not compared: the daemon was restarted between the two scrapes");
    }
    let (fell, compared) = fallen(first, second);
    if fell.is_empty() {
        report.ok("backwards", format!("none of {compared} counters and buckets fell or disappeared"));
    } else {
        report.failed("backwards", fell.join("\n"), "Sentinel does not do that: do two programs share the port?");
    }
}

/// The series of counters and histograms that fell or disappeared, and how many were compared.
fn fallen(first: &Exposition, second: &Exposition) -> (Vec<String>, usize) {
    let mut fell = Vec::new();
    let mut compared = 0;
    for before in first.families.iter().filter(|family| family.kind != Kind::Gauge) {
        for sample in &before.samples {
            compared += 1;
            let labels = sample.labels.iter().map(|(label, value)| (label.as_str(), value.as_str()));
            let labels = labels.collect::<Vec<_>>();
            match second.value(&sample.name, &labels) {
                Some(now) if now >= sample.value => {}
                now => {
                    let now = now.map_or("gone".to_owned(), |now| format!("{now} now"));
                    fell.push(format!("{}{labels:?} was {} and is {now}", sample.name, sample.value));
                }
            }
        }
    }
    (fell, compared)
}

fn secs(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cycles: u32, temperature: u32) -> Exposition {
        let text = format!(
            "# HELP {CYCLES} x\n# TYPE {CYCLES} counter\n{CYCLES} {cycles}\n\
             # HELP t x\n# TYPE t gauge\nt {temperature}\n"
        );
        Exposition::parse(&text).unwrap()
    }

    #[test]
    fn only_falling_counters_are_reported() {
        assert_eq!(fallen(&text(5, 5), &text(5, 4)), (vec![], 1));
        assert_eq!(fallen(&text(5, 5), &text(4, 5)).0, [format!("{CYCLES}[] was 5 and is 4 now")]);
        assert_eq!(fallen(&text(5, 5), &Exposition::default()).0, [format!("{CYCLES}[] was 5 and is gone")]);
    }
}
