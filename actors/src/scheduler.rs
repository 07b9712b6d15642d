//! The Scheduler: triggers cycles, one at a time, and counts the ticks that found one running.
//!
//! The Application starts it and drains it; it drives the stages through `run_cycle`.

use crate::{
    cycle::{CycleEnd, Policy, Stages, run_cycle},
    domain::{
        clock::{Clock, StepDetector},
        names::{ActorName, DropReason},
        schedule::Schedule,
    },
    messages::{CycleId, CycleWentWell, Event, Ping},
};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture, WrapFuture};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc::UnboundedSender, watch};
use tokio_util::sync::CancellationToken;

/// The longest single wait for the next tick: the wall clock may jump while we sleep, and is asked again.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What the Scheduler needs.
pub struct SchedulerConfig {
    /// When cycles are due.
    pub schedule: Schedule,
    /// How many cycles to run; 0 for no end.
    pub cycles_max: u64,
    /// How many cycles follow each other without a pause before the schedule takes over.
    pub back_to_back: u64,
    /// The actors of a cycle.
    pub stages: Stages,
    /// The rules of a decision.
    pub policy: Policy,
    /// Wall clock of the schedule.
    pub clock: Arc<dyn Clock>,
    /// Gives up the running cycle, an order already sent excepted.
    pub shutdown: CancellationToken,
    /// Where the Application hears of what it has to act on.
    pub notices: UnboundedSender<Notice>,
    /// Who hears of good cycles, if somebody outside waits for a sign of life.
    pub deadman: Option<Recipient<CycleWentWell>>,
}

/// Scheduler -> Application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The cycles that follow each other without a pause ran; the schedule takes over.
    CaughtUp,
    /// All asked cycles ran.
    CyclesEnded {
        /// Cycles that failed.
        failed: u64,
        /// Cycles in which some symbols failed, and too few to make it a failed one.
        degraded: u64,
    },
    /// An actor cannot answer any more; the daemon has to end.
    StageGone(ActorName),
}

/// Application -> Scheduler: start no cycle any more; answered when none runs.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Scheduler -> itself: a cycle is due.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
struct Tick {
    /// When it was due, since the unix epoch.
    due: Duration,
    /// Due times before this one that nobody was awake for.
    missed_before: u64,
}

/// The actor.
pub struct Scheduler {
    config: SchedulerConfig,
    running: bool,
    /// Set from `running`, so that a `Drain` can wait without asking the actor again.
    idle: watch::Sender<bool>,
    draining: bool,
    cycles_started: u64,
    cycles_failed: u64,
    cycles_degraded: u64,
    last_cycle_id: CycleId,
    clock_steps: StepDetector,
}

impl Scheduler {
    /// A Scheduler that has not run a cycle yet.
    pub fn new(config: SchedulerConfig) -> Self {
        Self {
            config,
            running: false,
            idle: watch::Sender::new(true),
            draining: false,
            cycles_started: 0,
            cycles_failed: 0,
            cycles_degraded: 0,
            last_cycle_id: 0,
            clock_steps: StepDetector::default(),
        }
    }

    fn emit(&self, event: Event) {
        self.config.stages.metrics.report(event);
    }

    fn all_started(&self) -> bool {
        self.config.cycles_max > 0 && self.cycles_started >= self.config.cycles_max
    }

    fn set_running(&mut self, running: bool) {
        self.running = running;
        self.idle.send_replace(!running);
    }

    /// A cycle's id is its start in unix milliseconds; two in one millisecond still differ.
    fn next_cycle_id(&mut self, now: Duration) -> CycleId {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.last_cycle_id = millis.max(self.last_cycle_id + 1);
        self.last_cycle_id
    }

    fn wait_for_tick_after(&self, after: Duration, ctx: &mut Context<Self>) {
        let (clock, schedule) = (self.config.clock.clone(), self.config.schedule.clone());
        let waiting = async move {
            let mut after = after;
            loop {
                let now = clock.now();
                if now + SLEEP_MAX < after {
                    // The clock was set back: waiting for the old time to come again would stop trading that long.
                    after = now;
                }
                let due = schedule.next_after(after)?;
                if now >= due {
                    let missed_before = schedule.missed_between(due, now);
                    let latest = if missed_before > 0 { now } else { due };
                    return Some((Tick { due, missed_before }, latest));
                }
                clock.sleep((due - now).min(SLEEP_MAX)).await;
            }
        };
        ctx.spawn(waiting.into_actor(self).map(|tick, act, ctx| {
            if let Some((tick, latest)) = tick {
                ctx.notify(tick);
                act.wait_for_tick_after(latest, ctx);
            }
        }));
    }

    /// Whether the wall clock jumped since the last cycle; says so if it did.
    fn has_clock_stepped(&mut self, cycle_id: CycleId, now: Duration) -> bool {
        let Some(step_s) = self.clock_steps.observe(now, self.config.clock.monotonic()) else { return false };
        tracing::warn!(
            cycle_id,
            step_s,
            error = "clock_step",
            "the wall clock jumped or the machine slept: this cycle sends no order"
        );
        self.emit(Event::ClockStepped);
        true
    }

    fn start_cycle(&mut self, due: Duration, ctx: &mut Context<Self>) {
        self.set_running(true);
        self.cycles_started += 1;
        let now = self.config.clock.now();
        let cycle_id = self.next_cycle_id(now);
        self.emit(Event::CycleStarted { cycle_id, lag: now.saturating_sub(due) });
        let started = tokio::time::Instant::now();
        let stages = self.config.stages.clone();
        let policy = Policy { has_clock_stepped: self.has_clock_stepped(cycle_id, now), ..self.config.policy.clone() };
        let shutdown = self.config.shutdown.clone();
        // A task of its own: a panic in it costs this cycle, not the Scheduler.
        let cycle = actix_rt::spawn(async move { run_cycle(cycle_id, &stages, &policy, &shutdown).await });
        ctx.spawn(cycle.into_actor(self).map(move |end, act, ctx| {
            let end = end.unwrap_or(CycleEnd::Failed);
            act.finish_cycle(cycle_id, end, started.elapsed(), ctx);
            act.show_life(due, end);
        }));
    }

    fn show_life(&self, due: Duration, end: CycleEnd) {
        if let (Some(deadman), CycleEnd::Completed | CycleEnd::Degraded) = (&self.config.deadman, end) {
            // Not taken by one that has no time or is gone: a ping that is missing is what the other side waits for.
            let _ = deadman.try_send(CycleWentWell { due });
        }
    }

    fn finish_cycle(&mut self, cycle_id: CycleId, end: CycleEnd, duration: Duration, ctx: &mut Context<Self>) {
        let failed = matches!(end, CycleEnd::Failed | CycleEnd::StageGone(_));
        self.cycles_failed += u64::from(failed);
        self.cycles_degraded += u64::from(end == CycleEnd::Degraded);
        let finished_at = self.config.clock.now().as_secs_f64();
        self.emit(Event::CycleFinished { cycle_id, finished_at, duration, failed });
        self.set_running(false);
        // A closed channel means the Application is already gone, and with it everything that could be told.
        if let CycleEnd::StageGone(actor) = end {
            let _ = self.config.notices.send(Notice::StageGone(actor));
        } else if self.all_started() {
            self.emit(Event::CyclesEnded);
            let (failed, degraded) = (self.cycles_failed, self.cycles_degraded);
            let _ = self.config.notices.send(Notice::CyclesEnded { failed, degraded });
        } else if self.cycles_started < self.config.back_to_back {
            ctx.notify(Tick { due: self.config.clock.now(), missed_before: 0 });
        } else if self.cycles_started == self.config.back_to_back {
            let _ = self.config.notices.send(Notice::CaughtUp);
        }
    }
}

impl Actor for Scheduler {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.emit(Event::ActorStarted(ActorName::Scheduler));
        let now = self.config.clock.now();
        ctx.notify(Tick { due: now, missed_before: 0 });
        self.wait_for_tick_after(now, ctx);
    }
}

impl Handler<Tick> for Scheduler {
    type Result = ();

    fn handle(&mut self, tick: Tick, ctx: &mut Self::Context) {
        if self.draining || self.config.shutdown.is_cancelled() {
            self.config.stages.metrics.dropped(ActorName::Scheduler, DropReason::Stale, 1);
            return;
        }
        if self.all_started() {
            return;
        }
        if tick.missed_before > 0 {
            tracing::warn!(missed = tick.missed_before, "cycles were due while the machine slept or its clock jumped");
            self.emit(Event::TicksMissed(tick.missed_before));
        }
        if !self.running {
            self.start_cycle(tick.due, ctx);
        } else if self.cycles_started >= self.config.back_to_back {
            // While cycles run back to back every tick finds one running; that is no miss.
            tracing::warn!("a cycle is due while the last one still runs: skipped");
            self.emit(Event::TicksMissed(1));
        }
    }
}

impl Handler<Drain> for Scheduler {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _ctx: &mut Self::Context) -> Self::Result {
        self.draining = true;
        let mut idle = self.idle.subscribe();
        Box::pin(async move {
            // An error means the Scheduler is gone, and then nothing runs either.
            let _ = idle.wait_for(|idle| *idle).await;
        })
    }
}

impl Handler<Ping> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Ping, _ctx: &mut Self::Context) {}
}
