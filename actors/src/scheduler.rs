//! The Scheduler: starts cycles, one at a time, and counts the due times at which a cycle was still running.
//!
//! The Application starts it and drains it. It runs each cycle with `run_cycle`.

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

/// The longest single wait for the next due time. The wall clock may jump during a wait, so it is read again after each.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// The configuration of the Scheduler.
pub struct SchedulerConfig {
    /// When cycles are due.
    pub schedule: Schedule,
    /// How many cycles to run; 0 for no end.
    pub cycles_max: u64,
    /// How many cycles run without a pause before the schedule begins.
    pub back_to_back: u64,
    /// The actors of a cycle.
    pub stages: Stages,
    /// The rules of a decision.
    pub policy: Policy,
    /// Wall clock of the schedule.
    pub clock: Arc<dyn Clock>,
    /// Cancels the running cycle, except an order that has been sent.
    pub shutdown: CancellationToken,
    /// Where the Application receives notices.
    pub notices: UnboundedSender<Notice>,
    /// The Deadman, if it is configured.
    pub deadman: Option<Recipient<CycleWentWell>>,
}

/// Scheduler -> Application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The cycles without a pause have run; the schedule begins.
    CaughtUp,
    /// All configured cycles have run.
    CyclesEnded {
        /// Cycles that failed.
        failed: u64,
        /// Cycles in which some symbols failed, but not too many.
        degraded: u64,
    },
    /// An actor has stopped; the daemon must end.
    StageGone(ActorName),
}

/// Application -> Scheduler: start no more cycles; answered when none is running.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Scheduler -> itself: a cycle is due.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
struct Tick {
    /// When it was due, since the unix epoch.
    due: Duration,
    /// Number of earlier due times that were missed, because the machine was suspended or its clock jumped.
    missed_before: u64,
}

/// The actor.
pub struct Scheduler {
    config: SchedulerConfig,
    running: bool,
    /// Set from `running`, so that a `Drain` can wait without another message to the actor.
    idle: watch::Sender<bool>,
    draining: bool,
    cycles_started: u64,
    cycles_failed: u64,
    cycles_degraded: u64,
    last_cycle_id: CycleId,
    clock_steps: StepDetector,
}

impl Scheduler {
    /// A new Scheduler; it has not run a cycle yet.
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

    /// A cycle's id is its start in unix milliseconds. Two cycles in one millisecond have different ids.
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
                    // The clock was set back. If the Scheduler waited until the old time is reached again, trading would stop
                    // for that long.
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

    /// Whether the wall clock jumped since the last cycle; logs it if so.
    fn has_clock_stepped(&mut self, cycle_id: CycleId, now: Duration) -> bool {
        let Some(step_s) = self.clock_steps.observe(now, self.config.clock.monotonic()) else { return false };
        tracing::warn!(
            cycle_id,
            step_s,
            error = "clock_step",
            "the wall clock jumped or the machine was suspended: this cycle sends no order"
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
        // A separate task, so that a panic in it only affects this cycle, not the Scheduler.
        let cycle = actix_rt::spawn(async move { run_cycle(cycle_id, &stages, &policy, &shutdown).await });
        ctx.spawn(cycle.into_actor(self).map(move |end, act, ctx| {
            let end = end.unwrap_or(CycleEnd::Failed);
            act.finish_cycle(cycle_id, end, started.elapsed(), ctx);
            act.show_life(due, end);
        }));
    }

    fn show_life(&self, due: Duration, end: CycleEnd) {
        if let (Some(deadman), CycleEnd::Completed | CycleEnd::Degraded) = (&self.config.deadman, end) {
            // If the Deadman is too busy or has stopped, the ping is missing, and the external service notices that.
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
        // A closed channel means that the Application has ended, so there is no receiver for notices.
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
            tracing::warn!(
                missed = tick.missed_before,
                "cycles were missed because the machine was suspended or its clock jumped"
            );
            self.emit(Event::TicksMissed(tick.missed_before));
        }
        if !self.running {
            self.start_cycle(tick.due, ctx);
        } else if self.cycles_started >= self.config.back_to_back {
            // While cycles run without a pause, a cycle is always running when one is due; that does not count as missed.
            tracing::warn!("a cycle was skipped because the previous one is still running");
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
            // An error means that the Scheduler has ended, and then no cycle is running.
            let _ = idle.wait_for(|idle| *idle).await;
        })
    }
}

impl Handler<Ping> for Scheduler {
    type Result = ();

    fn handle(&mut self, _: Ping, _ctx: &mut Self::Context) {}
}
