//! One trade on paper, from the order to its end: where it is entered, how it is followed from bar to bar, what it brings.

use super::{PaperEnd, PaperEntry, PaperExit, PaperTerms};
use crate::domain::{
    bar::Bar,
    fill::{self, Costs, ExitReason, Exits, Nights},
    instrument::Symbol,
    order::Side,
};
use std::time::Duration;
use uuid::Uuid;

/// What the journal lacks of an order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unkept {
    /// Nothing.
    #[default]
    Nothing,
    /// How far it was followed: [`seen_to`](PaperOrder::seen_to), [`bars_seen`](PaperOrder::bars_seen),
    /// [`mark`](PaperOrder::mark) and [`nights`](PaperOrder::nights).
    Progress,
    /// More than that.
    All,
}

/// An order on paper, and the trade that it made unless it only ended another.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperOrder {
    /// Its `paper_order_id`.
    pub id: Uuid,
    /// Our name of the instrument.
    pub symbol: Symbol,
    /// The broker's name of the instrument.
    pub gateway_name: String,
    /// Close of the bar decided on, unix seconds.
    pub bar_close_time: i64,
    /// Direction.
    pub side: Side,
    /// Lots.
    pub volume: f64,
    /// An absolute price, 0 for none.
    pub stop_loss: f64,
    /// An absolute price, 0 for none.
    pub take_profit: f64,
    /// The model's probability, a ratio in 0..=1.
    pub confidence: f64,
    /// The price decided on.
    pub close: f64,
    /// Decimal places of a price.
    pub digits: u32,
    /// Counted from 1 on each account.
    pub ticket: i64,
    /// The ticket that it ended instead of opening a position: then it is no trade.
    pub closes: Option<i64>,
    /// What it is charged; `None`: no costs are set, and its figures are before costs.
    pub costs: Option<Costs>,
    /// `None` while the next bar is not known.
    pub entry: Option<PaperEntry>,
    /// Open time of the newest bar that it was followed to, unix seconds.
    pub seen_to: i64,
    /// So many bars after the one decided on.
    pub bars_seen: usize,
    /// Close of the newest of them.
    pub mark: f64,
    /// Nights with swap so far.
    pub nights: u32,
    /// The order that ends it at the next bar's open.
    pub ended_by: Option<Uuid>,
    /// `None` while it is open.
    pub exit: Option<PaperExit>,
    /// When its end was noticed, wall clock since the unix epoch; `None` while it is open.
    pub ended_at: Option<Duration>,
    /// When it was made, wall clock since the unix epoch.
    pub created_at: Duration,
    /// Whether its end waits for the price of its rate, to be known in money.
    pub waits_for_rate: bool,
    /// What the journal lacks of it.
    pub unkept: Unkept,
}

impl PaperOrder {
    /// Whether it is a trade that has not ended.
    pub const fn is_open(&self) -> bool {
        self.closes.is_none() && self.exit.is_none()
    }

    /// Whether it counts as an open position: nothing ends it at the next bar's open.
    pub(super) const fn counts(&self) -> bool {
        self.is_open() && self.ended_by.is_none()
    }

    /// What it would bring if it were closed at its newest price, points; 0 before its entry is known.
    pub fn open_points(&self) -> f64 {
        self.entry.map_or(0.0, |entry| self.net(entry.price, self.mark).1)
    }

    fn exits(&self, horizon_bars: usize) -> Exits {
        let distance = |price: f64| (price > 0.0).then(|| (price - self.close).abs());
        let (stop_loss, take_profit) = (distance(self.stop_loss), distance(self.take_profit));
        Exits { stop_loss, take_profit, horizon_bars, digits: self.digits }
    }

    fn point(&self) -> f64 {
        10_f64.powi(-i32::try_from(self.digits).unwrap_or(0))
    }

    /// The price after costs at which it leaves when the market is at `price`, and what it brings, points.
    fn net(&self, entry: f64, price: f64) -> (f64, f64) {
        let (costs, point) = (self.costs.unwrap_or_default(), self.point());
        let left = fill::exit_price(self.side, price, &costs, point);
        let net = fill::net_points(self.side, entry, left, self.nights, &costs, point);
        // What is left of float64 behind a millionth of a point is noise of the division.
        (left, (net * 1e6).round() / 1e6)
    }
}

/// The end of a trade that cannot be followed any more.
pub(super) const fn lost(at: i64) -> PaperExit {
    PaperExit { at, price: None, reason: PaperEnd::Lost, is_ambiguous: false, net_points: None, profit: None }
}

/// Follows a trade through bars that it has not seen, at least one; its end if it came to it. Its profit is not counted yet.
pub(super) fn follow(
    order: &mut PaperOrder,
    later: &[Bar],
    terms: &PaperTerms,
    close_time: impl Fn(&Bar) -> i64,
) -> Option<PaperExit> {
    let (first, last) = (later.first()?, later.last()?);
    let costs = order.costs.unwrap_or_default();
    let entered = || fill::entry_price(order.side, first.open, &costs, order.point());
    let entry = order.entry.unwrap_or_else(|| PaperEntry { at: first.open_time, price: entered() });
    order.entry = Some(entry);
    let (end, at) = if order.ended_by.is_some() {
        let reason = ExitReason::Opposite;
        (Some(fill::Exit { bar: order.bars_seen, price: first.open, reason, is_ambiguous: false }), first.open_time)
    } else {
        let horizon = if terms.horizon_bars == 0 { usize::MAX } else { terms.horizon_bars };
        let end = fill::exit_after(order.side, order.close, order.bars_seen, later, &order.exits(horizon));
        let bar = end.and_then(|end| later.get(end.bar.checked_sub(order.bars_seen)?)).unwrap_or(last);
        (end, close_time(bar))
    };
    // A position that ends at an open has the night that begins then; one that is at a close has not.
    let nights = Nights::new(entry.at, at, terms.triple_day);
    let begun = if order.ended_by.is_some() { nights.until(at) } else { nights.before(at) };
    order.nights = begun.saturating_sub(nights.until(entry.at));
    let seen = end.map_or(later.len(), |end| (end.bar + 1).saturating_sub(order.bars_seen));
    let newest = later.get(seen.saturating_sub(1)).unwrap_or(last);
    (order.bars_seen, order.seen_to, order.mark) = (order.bars_seen + seen, newest.open_time, newest.close);
    let end = end?;
    let (price, net_points) = order.net(entry.price, end.price);
    Some(PaperExit {
        at,
        price: Some(price),
        reason: PaperEnd::Filled(end.reason),
        is_ambiguous: end.is_ambiguous,
        net_points: Some(net_points),
        profit: None,
    })
}
