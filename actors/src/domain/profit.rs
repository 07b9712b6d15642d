//! Profit and loss from what the gateway reports: from one look at the account to the next, which positions were closed, what
//! they brought, and which part of the balance's step no close explains. Pure computation; the journal keeps the results.

mod days;
mod figures;
#[cfg(test)]
mod tests;

use crate::domain::{instrument::InstrumentKey, position::HeldPosition};
pub use days::{Day, month_begin, week_begin};
pub use figures::{Figures, PaperFigures};
use std::{collections::HashMap, fmt, str::FromStr};

/// Less than this is rounding, in the account's currency.
const HALF_CENT: f64 = 0.005;
/// Least change of a volume that counts, in lots.
const VOLUME_APART: f64 = 1e-9;
/// A close may bring so much more or less than was last seen, as a share of the balance, whatever the price did.
const SHARE_MAX: f64 = 0.01;
/// And so much as the price can move: a share of the price in the first minute between two looks; it grows with the root of the
/// time.
const MOVE_MAX: f64 = 0.01;
/// Where a market opens, the price may jump by so many times that.
const JUMP: f64 = 3.0;
/// A longer time allows no larger move than this.
const MOVE_LIMIT: f64 = 0.2;
/// So long the balance has to show a close after it was noticed, two looks of a minute each with some room. In milliseconds.
const WAITS_MS: i64 = 100_000;
/// A look that is older than this is not the one right before: looks that say the same are not kept. In milliseconds.
const LOOK_BEFORE_MS: i64 = 130_000;
/// What differs by less than this share of the balance, or of the price, is the same close seen a minute apart.
const NEAR: f64 = 0.001;

/// Where a realised profit comes from; a later one is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The profit that the gateway reported last before the position was gone. If several were closed at once, they share the rest
    /// of the balance's step by volume. Also the step of one close that is far from what was told: a deposit of the same minute may be
    /// in it.
    Estimated,
    /// The balance's step, with exactly this close in it, and near what was told of it.
    Gateway,
    /// The broker's statement; nothing reads one yet.
    Statement,
}

impl Source {
    /// As the journal has it. A better source comes later in the alphabet, on which its queries rely.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Estimated => "estimated",
            Self::Gateway => "gateway",
            Self::Statement => "statement",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Source {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Estimated, Self::Gateway, Self::Statement].into_iter().find(|it| it.as_str() == text).ok_or(())
    }
}

/// What happened to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All of it was closed.
    Close,
    /// A part of it was closed.
    Part,
    /// It was opened, and the broker charged that.
    Opening,
}

impl Kind {
    /// As the journal has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Part => "part",
            Self::Opening => "opening",
        }
    }
}

/// One look at the account: everything told together.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Money without open positions.
    pub balance: f64,
    /// What is open.
    pub positions: Vec<HeldPosition>,
}

/// A close that the balance may show: a position that no look saw (an order's ticket), or one that was gone before the balance
/// moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The broker's ticket.
    pub ticket: i64,
    /// The broker's name of the instrument.
    pub gateway_name: String,
    /// Lots that it has of what several closes share.
    pub volume: f64,
    /// Lots that were closed, if a look or the order tells them for certain.
    pub lots: Option<f64>,
    /// When it was noticed, unix milliseconds.
    pub at_ms: i64,
    /// Profit with swap as last told.
    pub estimate: Option<f64>,
    /// What was closed.
    pub kind: Kind,
    /// Money that a move of the price by its whole value would bring; 0 if not known.
    swing: f64,
}

impl Candidate {
    /// A close that is known by its ticket only.
    pub const fn unseen(ticket: i64, gateway_name: String, volume: f64, at_ms: i64) -> Self {
        Self { ticket, gateway_name, volume, lots: None, at_ms, estimate: None, kind: Kind::Close, swing: 0.0 }
    }

    /// A close that was noticed earlier, when the balance had not moved yet.
    pub const fn earlier(ticket: i64, gateway_name: String, at_ms: i64, estimate: f64, kind: Kind) -> Self {
        Self { ticket, gateway_name, volume: 1.0, lots: None, at_ms, estimate: Some(estimate), kind, swing: 0.0 }
    }

    /// With the lots that were closed, if they are known for certain.
    #[must_use]
    pub fn of_lots(self, lots: Option<f64>) -> Self {
        Self { volume: lots.unwrap_or(self.volume), lots, ..self }
    }

    fn of(held: &HeldPosition, closed: f64, at_ms: i64) -> Self {
        let position = &held.position;
        let share = if position.volume > 0.0 { (closed / position.volume).min(1.0) } else { 1.0 };
        let per_price = || {
            let (open, current) = (held.open_price?, held.current_price?);
            let swing = held.profit? / (current - open) * current * share;
            Some(swing.abs()).filter(|swing| swing.is_finite())
        };
        Self {
            ticket: position.ticket,
            gateway_name: position.gateway_name.clone(),
            volume: closed,
            lots: Some(closed),
            at_ms,
            estimate: held.net_profit().map(|profit| cents(profit * share)),
            kind: if share < 1.0 { Kind::Part } else { Kind::Close },
            swing: per_price().unwrap_or(0.0),
        }
    }

    fn realised(&self, profit: f64, source: Source, is_settled: bool) -> Realised {
        let Self { ticket, ref gateway_name, at_ms, kind, lots, .. } = *self;
        Realised { ticket, gateway_name: gateway_name.clone(), at_ms, profit, source, kind, is_settled, lots }
    }
}

/// What a position brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Realised {
    /// The broker's ticket.
    pub ticket: i64,
    /// The broker's name of the instrument.
    pub gateway_name: String,
    /// When it was noticed, unix milliseconds.
    pub at_ms: i64,
    /// In the account's currency, with swap, and with the broker's charges if the source is the balance.
    pub profit: f64,
    /// Where that is from.
    pub source: Source,
    /// What was closed.
    pub kind: Kind,
    /// Whether the balance has it. If not, the next step of the balance may still be its.
    pub is_settled: bool,
    /// Lots that were closed; `None`: not known for certain, or nothing was.
    pub lots: Option<f64>,
}

/// What is known besides two looks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Closes that were noticed before the second look and that no balance has shown.
    pub earlier: Vec<Candidate>,
    /// Our filled orders between the looks whose ticket none of them has.
    pub unseen: Vec<Candidate>,
    /// What the first look left unexplained.
    pub unexplained: Option<f64>,
}

/// What happened between two looks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// What closes brought. A close with two sources comes twice.
    pub realised: Vec<Realised>,
    /// The part of the balance's step that no close explains: a deposit, or a trade by hand that no look saw.
    pub unexplained: Option<f64>,
    /// What the first look left unexplained was of a close that the second one shows.
    pub explains_step_before: bool,
}

/// What happened between two looks.
pub fn change(before: &Look, after: &Look, known: Known) -> Change {
    let Known { earlier, unseen, unexplained } = known;
    let step = cents(after.balance - before.balance);
    // A step is of before, as far as anybody knows.
    let looked_ms = if step == 0.0 { after.at_ms } else { before.at_ms };
    let (earlier, over): (Vec<_>, Vec<_>) = earlier.into_iter().partition(|it| looked_ms - it.at_ms < WAITS_MS);
    let opened = openings(before, after);
    // On a netting account the ticket of an order is often no position's: what was opened or grew is what it did.
    let is_open = |it: &Candidate| {
        let name = InstrumentKey::of(&it.gateway_name);
        opened.iter().any(|opened| InstrumentKey::of(&opened.gateway_name) == name)
    };
    let unseen: Vec<_> = unseen.into_iter().filter(|it| !is_open(it)).collect();
    let mut closed = closes(before, after);
    // An order that was opened and closed between the looks has its part in the step, which nobody told.
    let mut is_exact = unseen.is_empty();
    let mut waits = Vec::new();
    if step != 0.0 && !earlier.is_empty() {
        is_exact &= closed.is_empty();
        (closed, waits) = of_this_step(closed, earlier, step);
    }
    // Each of these explains a step only if nothing better does.
    if closed.is_empty() && step < 0.0 && -step <= SHARE_MAX * before.balance.abs() {
        closed = opened;
    }
    if closed.is_empty() && step != 0.0 {
        is_exact = true;
        closed = unseen;
    }
    let minutes = ((after.at_ms - before.at_ms) as f64 / 60_000.0).max(1.0);
    let price_move = (MOVE_MAX * minutes.sqrt()).min(MOVE_LIMIT);
    let swing: f64 = closed.iter().map(|it| it.swing).sum();
    let near_nothing = NEAR * before.balance.abs();
    // Of a small position less than that share: what is beyond a jump and the charges is a deposit in the same step.
    let is_known = !closed.is_empty() && closed.iter().all(|it| it.swing > 0.0);
    let most = if is_known { swing * price_move * JUMP + near_nothing } else { f64::INFINITY };
    let limit = (SHARE_MAX * before.balance.abs()).min(most).max(swing * price_move);
    // The list of positions may be later than the balance: then the look right before has the step. It may also have been a deposit
    // of the same size, so what it says of the close is an estimate.
    let near = near_nothing.max(NEAR * swing * minutes.sqrt());
    let told: Option<f64> = closed.iter().map(|it| it.estimate).sum();
    let is_of_before = |moved: &f64| told.is_some_and(|told| cents(moved - told).abs() <= near);
    let could_be = step == 0.0 && !closed.is_empty() && after.at_ms - before.at_ms <= LOOK_BEFORE_MS;
    let moved = unexplained.filter(|_| could_be).filter(is_of_before);
    let mut change = settle(closed, moved.unwrap_or(step), (limit, near), is_exact && moved.is_none());
    change.explains_step_before = moved.is_some();
    change.realised.extend(waits);
    // What no balance has shown in its time stays as it was told, unless that was so near to nothing that it
    // is taken to have brought nothing: the balance, which did not move, says that.
    change.realised.extend(over.iter().filter_map(|it| Some(it.realised(it.estimate?, Source::Estimated, true))));
    let nothing = over.iter().filter(|it| it.estimate.is_some_and(|told| told.abs() <= near_nothing));
    change.realised.extend(nothing.map(|it| it.realised(0.0, Source::Gateway, true)));
    change
}

/// Which closes the step is of: the new ones, the earlier ones, or both, by what was told of them. The other new ones wait for
/// their step.
fn of_this_step(new: Vec<Candidate>, earlier: Vec<Candidate>, step: f64) -> (Vec<Candidate>, Vec<Realised>) {
    let told = |closed: &[Candidate]| closed.iter().map(|it| it.estimate).sum::<Option<f64>>();
    let (Some(of_new), Some(of_earlier)) = (told(&new), told(&earlier)) else {
        return ([new, earlier].concat(), Vec::new());
    };
    let apart = |told: f64| cents(step - told).abs();
    let (both, late, now) = (apart(of_new + of_earlier), apart(of_earlier), apart(of_new));
    if both <= late && both <= now {
        ([new, earlier].concat(), Vec::new())
    } else if late < now {
        let waits = new.iter().filter_map(|it| Some(it.realised(it.estimate?, Source::Estimated, false)));
        let waits = waits.collect();
        (earlier, waits)
    } else {
        (new, Vec::new())
    }
}

/// What was closed, as a whole or in part.
fn closes(before: &Look, after: &Look) -> Vec<Candidate> {
    let now: HashMap<i64, &HeldPosition> = after.positions.iter().map(|held| (held.position.ticket, held)).collect();
    let closed = |held: &HeldPosition| {
        let position = &held.position;
        let lots = match now.get(&position.ticket) {
            // On a netting account an order may turn a position round.
            Some(later) if later.position.side == position.side => position.volume - later.position.volume,
            _ => position.volume,
        };
        (lots > VOLUME_APART).then(|| Candidate::of(held, lots, after.at_ms))
    };
    before.positions.iter().filter_map(closed).collect()
}

/// What was opened, or grew.
fn openings(before: &Look, after: &Look) -> Vec<Candidate> {
    let then: HashMap<i64, &HeldPosition> = before.positions.iter().map(|held| (held.position.ticket, held)).collect();
    let opened = |held: &HeldPosition| {
        let position = &held.position;
        let earlier = then.get(&position.ticket).filter(|it| it.position.side == position.side);
        let lots = position.volume - earlier.map_or(0.0, |it| it.position.volume);
        let opened = Candidate::of(held, lots, after.at_ms);
        (lots > VOLUME_APART).then_some(Candidate {
            estimate: None,
            lots: None,
            kind: Kind::Opening,
            swing: 0.0,
            ..opened
        })
    };
    after.positions.iter().filter_map(opened).collect()
}

/// Divides the balance's step among the closes. `limit`: by so much they may differ from what was last told of them, which is
/// nothing if nothing was told; `near`: by so much only if there was no deposit beside them. `is_exact`: nothing else has a part in
/// the step.
fn settle(closed: Vec<Candidate>, step: f64, (limit, near): (f64, f64), is_exact: bool) -> Change {
    if closed.is_empty() {
        return Change { unexplained: Some(step).filter(|step| *step != 0.0), ..Change::default() };
    }
    let told: f64 = closed.iter().filter_map(|it| it.estimate).sum();
    let rest = cents(step - told);
    let is_all_told = closed.iter().all(|it| it.estimate.is_some());
    let as_told = |is_settled| {
        let told = closed.iter().filter_map(|it| Some(it.realised(it.estimate?, Source::Estimated, is_settled)));
        told.collect::<Vec<_>>()
    };
    // The balance may move later than the list.
    if step == 0.0 && told.abs() >= HALF_CENT && is_all_told {
        return Change { realised: as_told(false), ..Change::default() };
    }
    if rest.abs() > limit {
        return Change { realised: as_told(true), unexplained: Some(rest), ..Change::default() };
    }
    if let ([only], true) = (&closed[..], is_exact) {
        if rest.abs() > near {
            // A large move, or a small one and a deposit: the step does not tell which.
            return Change { realised: vec![only.realised(step, Source::Estimated, true)], ..Change::default() };
        }
        let mut realised = as_told(true);
        realised.push(only.realised(step, Source::Gateway, true));
        return Change { realised, ..Change::default() };
    }
    let takes_rest = |it: &Candidate| is_all_told || it.estimate.is_none();
    let mut volume: f64 = closed.iter().filter(|it| takes_rest(it)).map(|it| it.volume).sum();
    let mut left = rest;
    let realised = closed.iter().map(|it| {
        let mut part = 0.0;
        if takes_rest(it) {
            // The last of them takes all that is left, so that the sum is the step to the cent.
            part = if volume - it.volume > VOLUME_APART { cents(left * it.volume / volume) } else { left };
            volume -= it.volume;
            left = cents(left - part);
        }
        it.realised(cents(it.estimate.unwrap_or(0.0) + part), Source::Estimated, true)
    });
    Change { realised: realised.collect(), ..Change::default() }
}

/// Rounded to cents, which takes the noise of floats away.
pub fn cents(money: f64) -> f64 {
    let rounded = (money * 100.0).round() / 100.0;
    // No -0.0, which reads as a loss.
    if rounded == 0.0 { 0.0 } else { rounded }
}
