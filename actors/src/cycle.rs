//! One cycle, the whole system on one page: fetch, build, predict, decide, send. The Scheduler calls it.

use crate::{
    cycle_log::CycleLog,
    cycle_record::CycleData,
    domain::{
        bar::Interval,
        calendar::Calendar,
        clock::{Clock, Moment},
        cycle_verdict::{CycleVerdict, judge},
        decision::{Prediction, decide},
        guard::{Circumstances, KillSwitch, Suppression, is_stale, objection},
        health::Step,
        instrument::{Instrument, Symbol},
        order::{Side, check_stops},
    },
    messages::{
        ActorName, BuildFeatures, CycleId, DecisionReport, DropReason, Event, FetchBars, OpenGateway, Ping, Predict,
        RecordDecisions, SendSignals, Signal, Telemetry,
    },
};
use actix::{Message, Recipient};
use futures_util::future::join3;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// The actors of a cycle, by what they do: a test can pass its own.
#[derive(Debug, Clone)]
pub struct Stages {
    /// Fetches bars.
    pub fetch: Recipient<FetchBars>,
    /// Builds features.
    pub build: Recipient<BuildFeatures>,
    /// Asks the model.
    pub predict: Recipient<Predict>,
    /// Connects to the gateway while the bars are fetched.
    pub open: Recipient<OpenGateway>,
    /// Sends orders.
    pub send: Recipient<SendSignals>,
    /// Keeps what was decided.
    pub record: Recipient<RecordDecisions>,
    /// Answers when all that was recorded before is on disk.
    pub recorded: Recipient<Ping>,
    /// Is told what was decided.
    pub metrics: Telemetry,
}

/// The rules of a decision.
#[derive(Clone)]
pub struct Policy {
    /// What is traded, in the order of configuration.
    pub instruments: Arc<[Instrument]>,
    /// Length of a bar.
    pub interval: Interval,
    /// Oldest age of the newest bar's close that may still be traded on, in seconds.
    pub max_bar_age_s: i64,
    /// When the market is open.
    pub calendar: Arc<Calendar>,
    /// Stops orders from outside.
    pub kill_switch: Arc<dyn KillSwitch>,
    /// Largest order, lots; 0 is no limit.
    pub volume_max: f64,
    /// Dates every decision, whatever clock the market follows.
    pub clock: Arc<dyn Clock>,
    /// Largest share of the symbols that may fail before the cycle has, a ratio in 0..=1.
    pub failed_share_max: f64,
    /// Whether the wall clock jumped since the last cycle, so that this one sends no order; the Scheduler says so.
    pub has_clock_stepped: bool,
}

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

/// Why a cycle ends early.
enum Cut {
    Shutdown,
    Panicked(Step),
    Gone(ActorName),
}

/// Runs one cycle over all symbols; a failure of one symbol never costs another its decision.
///
/// `shutdown` gives up everything but an order that may already be on its way: that is the SignalSender's to end.
pub async fn run_cycle(cycle_id: CycleId, stages: &Stages, policy: &Policy, shutdown: &CancellationToken) -> CycleEnd {
    let mut log = CycleLog::new(cycle_id, policy.instruments.len());
    let mut data = CycleData::default();
    let end = match through_stages(cycle_id, stages, policy, shutdown, (&mut log, &mut data)).await {
        Err(Cut::Shutdown) => CycleEnd::GivenUp,
        Err(Cut::Gone(actor)) => {
            log.gone(actor);
            CycleEnd::StageGone(actor)
        }
        Err(Cut::Panicked(step)) => {
            log.panicked(step);
            CycleEnd::Failed
        }
        Ok(()) => CycleEnd::Completed,
    };
    let given_up = end == CycleEnd::GivenUp;
    let failures = log.failed_symbols(&policy.instruments);
    let verdict = judge(policy.instruments.len(), failures.len(), policy.failed_share_max);
    let end = match (end, verdict) {
        (CycleEnd::Completed, CycleVerdict::Degraded) => CycleEnd::Degraded,
        (CycleEnd::Completed, CycleVerdict::Failed) => CycleEnd::Failed,
        (end, _) => end,
    };
    log.finish(given_up, verdict, &failures);
    if !given_up {
        stages.metrics.report(Event::SymbolsEnded { cycle_id, failures });
    }
    // Not waited for, so that no cycle is longer by a write; the next one waits, and so does the end of the daemon.
    let decisions = data.records(&log, &policy.instruments, policy.interval, given_up);
    stages.record.do_send(RecordDecisions { cycle_id, decisions });
    end
}

async fn through_stages(
    cycle_id: CycleId,
    stages: &Stages,
    policy: &Policy,
    shutdown: &CancellationToken,
    (log, data): (&mut CycleLog, &mut CycleData),
) -> Result<(), Cut> {
    let began_at = policy.clock.moment();
    // The journal has to have caught up with the last cycle: what waits for a slow disk stays bounded.
    let fetching = ask(&stages.fetch, FetchBars { cycle_id }, Step::Fetch);
    // In every cycle, bars or not: debts to the journal and orders of unknown fate do not wait for the market.
    let has_clock_stepped = policy.has_clock_stepped;
    let opening = ask(&stages.open, OpenGateway { cycle_id, has_clock_stepped }, Step::Send);
    let waiting = async { Ok(join3(timed(fetching), stages.recorded.send(Ping), timed(opening)).await) };
    let ((fetched, fetching), recorded, (_, opening)) = until(shutdown, waiting).await?;
    recorded.map_err(|_| Cut::Gone(ActorName::Journal))?;
    let fetched = fetched?;
    log.fetched_and_opened(fetching, opening);
    let windows = log.keep_successes(Step::Fetch, fetched.windows);
    data.market_now = Some(fetched.market_now);
    data.windows = windows.iter().cloned().collect();
    stages.metrics.report(Event::CycleGuarded { is_market_open: policy.calendar.is_open(fetched.market_now) });
    // The newest close and its time, which the staleness guard and the order need once the windows are gone.
    let newest: HashMap<Symbol, (f64, i64)> = windows
        .iter()
        .filter_map(|(symbol, bars)| Some((symbol.clone(), bars.last()?)))
        .map(|(symbol, bar)| (symbol, (bar.close, bar.close_time(policy.interval))))
        .collect();
    if windows.is_empty() {
        return Ok(());
    }
    stages.metrics.report(stops_checked(&policy.instruments, &newest));

    let built = until(shutdown, ask(&stages.build, BuildFeatures { cycle_id, windows }, Step::Features)).await?;
    let rows = log.keep_successes(Step::Features, built);
    data.features = rows.iter().cloned().collect();
    if rows.is_empty() {
        return Ok(());
    }

    // From here on the decision ages: its bars are at hand, and nothing newer comes in.
    let begun_at = policy.clock.moment();
    let predicting = ask(&stages.predict, Predict { cycle_id, rows }, Step::Predict);
    let predicted = until(shutdown, predicting).await?;
    let predictions = log.keep_successes(Step::Predict, predicted);
    data.predictions = predictions.iter().cloned().collect();

    // What the fetch and the model took counts, for the bar's age and the market's hours: both may have waited long. And the
    // clock may have been set, or the machine have slept, since the Scheduler looked.
    let now = policy.clock.moment();
    let waited_s = i64::try_from(began_at.age_at(now).as_secs()).unwrap_or(i64::MAX);
    let market_now = fetched.market_now.saturating_add(waited_s);
    let has_clock_stepped = policy.has_clock_stepped || began_at.has_stepped_at(now);
    let policy = &Policy { has_clock_stepped, ..policy.clone() };
    let signals = decide_all(stages, policy, (market_now, begun_at), &newest, &predictions, log);
    if !signals.is_empty() {
        // Not cut short by shutdown: the SignalSender gives up what is not sent and waits for what is.
        let reports = ask(&stages.send, SendSignals { cycle_id, signals }, Step::Send).await?;
        log.orders(reports);
    }
    Ok(())
}

/// For which symbols no order could be built at their newest close: said with the first bars, not with the first order.
fn stops_checked(instruments: &[Instrument], newest: &HashMap<Symbol, (f64, i64)>) -> Event {
    let (mut bad, mut unpriced) = (Vec::new(), Vec::new());
    for instrument in instruments {
        match newest.get(&instrument.symbol).map(|(close, _)| check_stops(instrument, *close)) {
            None => unpriced.push(instrument.symbol.clone()),
            Some(Err(bad_stop)) => bad.push((instrument.symbol.clone(), bad_stop.to_string())),
            Some(Ok(())) => {}
        }
    }
    Event::StopsChecked { bad, unpriced }
}

/// What `work` gives, and how long it took.
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (work.await, began.elapsed())
}

/// Gives `work` up when the daemon stops.
async fn until<T>(shutdown: &CancellationToken, work: impl Future<Output = Result<T, Cut>>) -> Result<T, Cut> {
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Err(Cut::Shutdown),
        result = work => result,
    }
}

/// Asks a stage. No answer is a panic in it if it still lives, and otherwise the end of the daemon.
async fn ask<M>(stage: &Recipient<M>, message: M, step: Step) -> Result<M::Result, Cut>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    stage.send(message).await.map_err(|_| if stage.connected() { Cut::Panicked(step) } else { Cut::Gone(step.actor()) })
}

/// Decides every predicted symbol, reports the decisions, and returns those that may become orders.
fn decide_all(
    stages: &Stages,
    policy: &Policy,
    (market_now, begun_at): (i64, Moment),
    newest: &HashMap<Symbol, (f64, i64)>,
    predictions: &[(Symbol, Prediction)],
    log: &mut CycleLog,
) -> Vec<Signal> {
    let mut decisions = Vec::with_capacity(predictions.len());
    let mut suppressed = Vec::new();
    let mut signals = Vec::new();
    let instruments: HashMap<&Symbol, &Instrument> = policy.instruments.iter().map(|i| (&i.symbol, i)).collect();
    for (symbol, prediction) in predictions {
        let (Some(instrument), Some(&(close, bar_close_time))) = (instruments.get(symbol), newest.get(symbol)) else {
            // A stage named a symbol that nobody configured: a defect, and no reason to trade it.
            stages.metrics.dropped(ActorName::Scheduler, DropReason::Invalid, 1);
            continue;
        };
        let decision = decide(prediction, instrument.threshold);
        decisions.push(DecisionReport { symbol: symbol.clone(), bar_close_time, decision });
        if decision.is_below_threshold() {
            suppressed.push(Suppression::BelowThreshold);
        }
        let Some(side) = Side::from_action(decision.action) else { continue };
        let around = Circumstances {
            // Asked here and not once a cycle: next comes the SignalSender, and a halt counts until then.
            is_halted: policy.kill_switch.is_halted(),
            has_clock_stepped: policy.has_clock_stepped,
            is_market_open: policy.calendar.is_open(market_now),
            is_bar_stale: is_stale(bar_close_time, market_now, policy.max_bar_age_s),
            volume: instrument.volume,
            volume_max: policy.volume_max,
        };
        if let Some(reason) = objection(&around) {
            log.suppressed(symbol, reason);
            suppressed.push(reason);
            continue;
        }
        let (symbol, confidence) = (symbol.clone(), decision.confidence);
        signals.push(Signal { symbol, side, confidence, close, bar_close_time, begun_at });
    }
    log.decisions(&decisions);
    if !decisions.is_empty() {
        stages.metrics.report(Event::SignalsDecided { decisions, suppressed });
    }
    signals
}
