//! Everything around the core, in one place: time, chance, the journal's disk, the gateway, and a trace of what happened.

use crate::{
    broker::Broker,
    gateway::Gateway,
    invariants::Invariants,
    plan::{Dialect, Plan, Spelling},
    rng::Rng,
};
use sentinel_actors::domain::{clock::Moment, instrument::Symbol};
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

/// Steps that a failing seed shows.
const TRACE_MAX: usize = 150;

/// How often what happened.
pub type Counts = BTreeMap<String, u64>;

pub type Shared = Rc<RefCell<World>>;

/// The last steps of a run, and a digest of all of them. Shared, so that a panic leaves it behind.
#[derive(Debug, Default, Clone)]
pub struct Trace(Rc<RefCell<(VecDeque<String>, u64)>>);

impl Trace {
    fn push(&self, line: String) {
        let (lines, digest) = &mut *self.0.borrow_mut();
        for byte in line.bytes() {
            *digest = (*digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        if lines.len() == TRACE_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub fn digest(&self) -> u64 {
        self.0.borrow().1
    }

    pub fn text(&self) -> String {
        self.0.borrow().0.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "  {line}");
            text
        })
    }
}

pub struct World {
    pub plan: Plan,
    pub rng: Rng,
    /// The gateway's clock, unix milliseconds.
    pub now_ms: u64,
    /// How far the daemons' clock is ahead of it: within what the handshake lets pass.
    pub skew_ms: i64,
    /// How long the machine slept: the monotonic clock stands still then.
    pub slept_ms: u64,
    /// What the living daemon speaks.
    pub dialect: Dialect,
    /// When the daemon wants to go on.
    pub wake_at_ms: u64,
    /// No faults, no kills, nobody interferes.
    pub is_calm: bool,
    pub is_halted: bool,
    pub is_stopping: bool,
    pub disk_broken_until_ms: u64,
    pub broker: Broker,
    pub gateway: Gateway,
    pub invariants: Invariants,
    pub counts: Counts,
    pub trace: Trace,
}

impl World {
    pub fn new(mut rng: Rng, trace: Trace) -> Self {
        let plan = Plan::new(&mut rng);
        let now_ms = 1_763_640_000_000 + rng.below(86_400_000);
        Self {
            broker: Broker::new(plan.rules.account_mode),
            invariants: Invariants::new(plan.rules, plan.spelling == Spelling::Foreign),
            dialect: plan.dialects[0],
            plan,
            rng,
            now_ms,
            slept_ms: 0,
            skew_ms: 0,
            wake_at_ms: now_ms,
            is_calm: false,
            is_halted: false,
            is_stopping: false,
            disk_broken_until_ms: 0,
            gateway: Gateway::default(),
            counts: Counts::new(),
            trace,
        }
    }

    /// The daemons' wall clock.
    pub fn wall(&self) -> Duration {
        Duration::from_millis(self.now_ms.saturating_add_signed(self.skew_ms))
    }

    /// The daemons' monotonic clock.
    pub const fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now_ms - self.slept_ms)
    }

    pub fn moment(&self) -> Moment {
        Moment { wall: self.wall(), monotonic: self.monotonic() }
    }

    /// Between two lives somebody gives an instrument another name: one of ours, or another spelling of the broker's. One of
    /// the two in a run: whoever changes both makes another instrument of it, and that is not promised.
    pub fn rename(&mut self) {
        let at = usize::try_from(self.rng.below(3)).unwrap();
        let is_ours = self.plan.renames_ours;
        let instrument = &mut self.plan.instruments[at];
        let base = instrument.ticker.trim_end_matches(".FOREX").to_owned();
        if is_ours {
            let suffix = *self.rng.pick(&["", ".a", ".b"]);
            instrument.symbol = Symbol::new(&format!("{base}{suffix}"));
        } else {
            let name = format!("{base}m");
            instrument.gateway_name = self.rng.pick(&[name.clone(), name.to_lowercase(), format!("{base}.x")]).clone();
        }
        let said = format!("{} at the gateway is {} now", instrument.gateway_name, instrument.symbol);
        self.say(&said);
        self.count("instruments renamed");
    }

    /// The process is stopped for a while, or the whole machine sleeps; the gateway does not.
    pub fn stands_still(&mut self) {
        let longest = 2 * self.plan.cycle_ms + 60_000;
        let length_ms = self.rng.between(1_000, longest);
        let is_machine = self.rng.chance(0.5);
        self.say(&format!("{} for {length_ms} ms", if is_machine { "the machine sleeps" } else { "is stopped" }));
        self.count(if is_machine { "machine sleeps" } else { "process stops" });
        let until = self.now_ms + length_ms;
        while let Some(next) = self.gateway.next_ms().filter(|next| *next <= until) {
            self.now_ms = self.now_ms.max(next);
            self.run_gateway();
        }
        self.now_ms = until;
        self.slept_ms += if is_machine { length_ms } else { 0 };
    }

    /// Whether something with this chance goes wrong now.
    pub fn fails(&mut self, chance: f64) -> bool {
        !self.is_calm && self.rng.chance(chance)
    }

    pub fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    pub fn say(&self, what: &str) {
        self.trace.push(format!("{:>10.3} {what}", (self.now_ms % 1_000_000_000) as f64 / 1e3));
    }
}

/// A moment between two steps of the core. Whoever drives the daemon may drop it here, and it never gets further.
pub struct Pause {
    world: Shared,
    until_ms: u64,
    is_armed: bool,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let until = self.until_ms;
        if self.is_armed && self.world.borrow().now_ms >= self.world.borrow().wake_at_ms {
            return Poll::Ready(());
        }
        if !self.is_armed {
            self.world.borrow_mut().wake_at_ms = until;
            self.is_armed = true;
        }
        Poll::Pending
    }
}

/// A step that takes a few milliseconds.
pub fn step(world: &Shared, what: &str) -> Pause {
    let took = {
        let mut world = world.borrow_mut();
        world.say(what);
        world.rng.between(1, 8)
    };
    let until = world.borrow().now_ms + took;
    until_ms(world, until)
}

/// Until then, or until a reply comes: it moves the wake-up forward.
pub fn until_ms(world: &Shared, until_ms: u64) -> Pause {
    Pause { world: world.clone(), until_ms, is_armed: false }
}
