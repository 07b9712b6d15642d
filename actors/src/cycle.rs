//! One cycle, the whole system on one page: fetch, build, predict, decide, send. The Scheduler calls it.
//!
//! One `Row` per symbol goes through it from top to bottom, and `table` puts each stage's answers into the rows; the `CycleLog`
//! says how long it took and what it came to.

mod calls;
mod log;
mod policy;
mod row;
mod table;

use crate::{
    domain::{
        clock::Moment,
        cluster::shared::{MemberCell, Share},
        cycle_outcome::{CycleOutcome, judge},
        instrument::Instrument,
        names::{ActorName, Step},
    },
    messages::{
        BuildFeatures, CycleId, Event, FetchBars, LookAtAccount, OpenGateway, Predict, PrepareOrders, RecordDecisions,
        SendSignals, Settled, Signal,
    },
};
use calls::{Cut, ask, timed, until};
use futures_util::future::join3;
use log::CycleLog;
pub use policy::{Policy, Stages};
use row::Row;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How a cycle ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CycleEnd {
    /// Every symbol went through every stage.
    Completed,
    /// Some symbols failed, fewer than it takes for [`CycleEnd::Failed`]; the others were decided.
    Degraded,
    /// No symbol got through, or too many failed, by the rule of [`judge`].
    Failed,
    /// Given up because the daemon is stopping.
    GivenUp,
    /// An actor cannot answer any more; the daemon has to end.
    StageGone(ActorName),
}

/// Runs one cycle over all symbols; a failure of one symbol never costs another its decision.
///
/// `shutdown` gives up everything but an order that may already be on its way: that is the SignalSender's to end.
pub async fn run_cycle(cycle_id: CycleId, stages: &Stages, policy: &Policy, shutdown: &CancellationToken) -> CycleEnd {
    let share = policy.members.as_ref().map(MemberCell::begin_cycle);
    let is_ours = |it: &&Arc<Instrument>| share.as_ref().is_none_or(|share| share.has(&it.symbol));
    let rows = policy.instruments.iter().filter(is_ours).cloned().map(Row::new).collect();
    let mut cycle = Cycle { cycle_id, stages, shutdown, rows, share, market_now: None, log: CycleLog::new(cycle_id) };
    let end = match cycle.through_stages(policy).await {
        Ok(()) => CycleEnd::Completed,
        Err(Cut::Shutdown) => CycleEnd::GivenUp,
        Err(Cut::Panicked(step)) => {
            cycle.fail_all(step, "panic", "the stage panicked; see the line before");
            CycleEnd::Failed
        }
        Err(Cut::Gone(actor)) => {
            if let Some(step) = Step::ALL.into_iter().find(|step| step.actor() == actor) {
                cycle.fail_all(step, "gone", "the stage cannot answer any more");
            }
            CycleEnd::StageGone(actor)
        }
    };
    let Cycle { rows, market_now, log, .. } = cycle;
    let given_up = end == CycleEnd::GivenUp;
    let failures: Vec<_> = rows.iter().filter_map(Row::failed).collect();
    let outcome = judge(rows.len(), failures.len(), policy.failed_share_max);
    log.finish(&rows, given_up, outcome, &failures);
    if !given_up {
        stages.metrics.report(Event::SymbolsEnded { cycle_id, failures });
    }
    // Not waited for, so that no cycle is longer by a write; the next one waits, and so does the end of the daemon.
    let decisions = rows.into_iter().map(|row| row.into_record(market_now, policy, given_up)).collect();
    stages.record.do_send(RecordDecisions { cycle_id, decisions });
    if !given_up {
        // After the orders, so that no order waits for it.
        stages.look.do_send(LookAtAccount);
    }
    match (end, outcome) {
        (CycleEnd::Completed, CycleOutcome::Degraded) => CycleEnd::Degraded,
        (CycleEnd::Completed, CycleOutcome::Failed) => CycleEnd::Failed,
        (end, _) => end,
    }
}

/// A cycle under way.
struct Cycle<'a> {
    cycle_id: CycleId,
    stages: &'a Stages,
    shutdown: &'a CancellationToken,
    /// In the order of configuration.
    rows: Vec<Row>,
    /// What is decided in it, if the account is shared with other daemons.
    share: Option<Share>,
    /// The market's "now", unix seconds; `None` before the fetch.
    market_now: Option<i64>,
    log: CycleLog,
}

impl Cycle<'_> {
    async fn through_stages(&mut self, policy: &Policy) -> Result<(), Cut> {
        let Self { cycle_id, stages, shutdown, .. } = *self;
        let began_at = policy.clock.moment();
        let Some(market_now) = self.fetch_and_open(policy).await? else { return Ok(()) };
        stages.metrics.report(self.stops_checked(policy));

        let windows = self.of_live(|row| row.window.clone());
        let built = until(shutdown, ask(&stages.build, BuildFeatures { cycle_id, windows }, Step::Features)).await?;
        if !self.fill(Step::Features, Row::is_live, built, |row| &mut row.features) {
            return Ok(());
        }

        // The decision's age is measured from here: no newer data will be used.
        let begun_at = policy.clock.moment();
        let has_chance = |row: &Row| row.is_live() && row.objection(policy, market_now).is_none();
        if self.rows.iter().any(has_chance) {
            // Not waited for: a cycle without a signal is not longer by it, and one with a signal finds it done.
            stages.prepare.do_send(PrepareOrders);
        }
        let rows = self.of_live(|row| row.features.clone());
        let predicted = until(shutdown, ask(&stages.predict, Predict { cycle_id, rows }, Step::Predict)).await?;
        self.fill(Step::Predict, Row::is_live, predicted, |row| &mut row.prediction);

        let signals = self.decide(policy, market_now, (began_at, begun_at));
        if !signals.is_empty() {
            // Not cut short by shutdown: the SignalSender gives up what is not sent and waits for what is.
            let reports = ask(&stages.send, SendSignals { cycle_id, signals }, Step::Send).await?;
            let reports = reports.into_iter().map(|report| (report.symbol.clone(), Ok(report))).collect();
            self.fill(Step::Send, Row::is_open, reports, |row| &mut row.report);
        }
        Ok(())
    }

    /// Fetches bars, while the gateway is opened. The market's "now", unix seconds; `None` if no row has a window.
    async fn fetch_and_open(&mut self, policy: &Policy) -> Result<Option<i64>, Cut> {
        let Self { cycle_id, stages, shutdown, .. } = *self;
        let only = self.share.as_ref().map(|_| Arc::new(self.rows.iter().map(|row| row.symbol().clone()).collect()));
        let fetching = ask(&stages.fetch, FetchBars { cycle_id, only }, Step::Fetch);
        // In every cycle, bars or not: unwritten outcomes and unknown orders are handled even if there are no bars.
        let has_clock_stepped = policy.has_clock_stepped;
        let opening = ask(&stages.open, OpenGateway { cycle_id, has_clock_stepped }, Step::Send);
        // The journal has to have caught up with the last cycle: what waits for a slow disk stays bounded.
        let waiting = async { Ok(join3(timed(fetching), stages.settled.send(Settled), timed(opening)).await) };
        let ((fetched, fetching), settled, (_, opening)) = until(shutdown, waiting).await?;
        settled.map_err(|_| Cut::Gone(ActorName::Journal))?;
        let fetched = fetched?;
        if let (Some(members), Some(share)) = (&policy.members, &self.share) {
            members.fetched(share);
        }
        self.log.fetched_and_opened(fetching, opening);
        self.market_now = Some(fetched.market_now);
        let any = self.fill(Step::Fetch, Row::is_live, fetched.windows, |row| &mut row.window);
        stages.metrics.report(Event::CycleGuarded { is_market_open: policy.calendar.is_open(fetched.market_now) });
        Ok(any.then_some(fetched.market_now))
    }

    /// Decides every row. `began_at`: when the cycle began; `begun_at`: from when a decision's age counts.
    fn decide(&mut self, policy: &Policy, market_now: i64, (began_at, begun_at): (Moment, Moment)) -> Vec<Signal> {
        // What the fetch and the model took counts, for the bar's age and the market's hours: both may have waited long.
        // And the clock may have been set, or the machine have slept, since the Scheduler looked.
        let now = policy.clock.moment();
        let waited_s = i64::try_from(began_at.age_at(now).as_secs()).unwrap_or(i64::MAX);
        let market_now = market_now.saturating_add(waited_s);
        self.market_now = Some(market_now);
        let has_clock_stepped = policy.has_clock_stepped || began_at.has_stepped_at(now);
        let policy = &Policy { has_clock_stepped, ..policy.clone() };
        let decide = |row: &mut Row| row.decide(policy, market_now, begun_at);
        let signals = self.rows.iter_mut().filter_map(decide).collect();
        self.report_decisions(policy);
        signals
    }
}
