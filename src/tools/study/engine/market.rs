//! The bars of a study with the result of a position on each of them, computed once: thousands of runs look it up.

use sentinel_actors::domain::{
    bar::Bar,
    calendar::Calendar,
    decision::{Action, Prediction},
    fill::{self, Costs, ExitReason, Exits, Nights, TripleDay},
    interval::Interval,
    side::Side,
};

/// Odds of the bar at this place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Place among the bars: at its close the decision is made.
    pub bar: u32,
    /// SELL, HOLD, BUY.
    pub odds: Prediction,
}

impl Decision {
    /// The likeliest of the three.
    pub fn likeliest(&self) -> Action {
        self.odds.likeliest().0
    }
}

/// How a position that is decided on at a bar ends, unless a signal of the other side ends it before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Place of the bar in which it ends.
    pub exit: u32,
    /// After costs, points.
    pub net: f64,
    /// Why.
    pub reason: ExitReason,
    /// Whether that bar held both stops.
    pub is_ambiguous: bool,
}

/// A position from begin to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trade {
    /// Place of the bar at whose close it was decided on; it was entered at the next one's open.
    pub bar: u32,
    /// Place of the bar in which it ended.
    pub exit: u32,
    /// Its direction.
    pub side: Side,
    /// Why it ended.
    pub reason: ExitReason,
    /// Whether that bar held both stops.
    pub is_ambiguous: bool,
    /// After costs, points.
    pub net: f64,
}

/// What fills are made by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// What trading costs.
    pub costs: Costs,
    /// The day whose night counts three times.
    pub triple_day: TripleDay,
    /// How positions end.
    pub exits: Exits,
}

/// All of it.
#[derive(Debug)]
pub struct Market {
    /// Oldest first.
    pub bars: Vec<Bar>,
    /// Of each, unix seconds.
    pub close_times: Vec<i64>,
    /// What fills are made by.
    pub terms: Terms,
    /// Nights that begin until the open, and before the close, of each bar, counted from the first.
    nights: Vec<[u32; 2]>,
    /// Of each bar, for BUY and SELL; `None` where the bars end before the position does.
    plans: Vec<[Option<Plan>; 2]>,
}

impl Market {
    /// Of these bars.
    pub fn new(bars: Vec<Bar>, interval: Interval, calendar: &Calendar, terms: Terms) -> Self {
        let close_times: Vec<i64> = bars.iter().map(|bar| bar.close_time(interval, calendar)).collect();
        let (from, to) = (bars.first().map_or(0, |bar| bar.open_time), close_times.last().copied().unwrap_or(0));
        let nights = Nights::new(from, to, terms.triple_day);
        let times = bars.iter().zip(&close_times);
        let nights = times.map(|(bar, close)| [nights.until(bar.open_time), nights.before(*close)]).collect();
        let mut market = Self { bars, close_times, terms, nights, plans: Vec::new() };
        let sides = |at| [Side::Buy, Side::Sell].map(|side| market.planned(at, side));
        let plans = (0..market.bars.len()).map(sides).collect();
        market.plans = plans;
        market
    }

    /// The plan of a position that is decided on at this bar.
    pub fn plan(&self, bar: u32, side: Side) -> Option<Plan> {
        self.plans.get(bar as usize)?[place(side)]
    }

    /// Net points of a position that a signal of the other side ends at this bar's open.
    pub fn net_at_open(&self, decided: u32, exit: u32, side: Side) -> f64 {
        let nights = self.nights(decided as usize, exit as usize, ExitReason::Opposite);
        self.net(decided as usize, self.bars[exit as usize].open, nights, side)
    }

    /// Prices at which a trade was entered and left, costs included.
    pub fn prices(&self, trade: &Trade) -> (f64, f64) {
        let Terms { costs, exits, .. } = &self.terms;
        let (decided, side) = (trade.bar as usize, trade.side);
        let entry = fill::entry_price(side, self.bars[decided + 1].open, costs, exits.point());
        // Whatever ended it: back from what it brought, without commission and nights.
        let nights = self.nights(decided, trade.exit as usize, trade.reason);
        let moved = trade.net - fill::net_points(side, 0.0, 0.0, nights, costs, exits.point());
        let direction = if side == Side::Buy { 1.0 } else { -1.0 };
        (entry, entry + direction * moved * exits.point())
    }

    /// When a trade ended, unix seconds: the moment within a bar is not known, so its close is taken.
    pub fn exit_time(&self, trade: &Trade) -> i64 {
        let exit = trade.exit as usize;
        if trade.reason == ExitReason::Opposite { self.bars[exit].open_time } else { self.close_times[exit] }
    }

    /// A position that ends at an open has the night that begins then; one that ends at a close has not.
    fn nights(&self, decided: usize, exit: usize, reason: ExitReason) -> u32 {
        let until = self.nights[exit][usize::from(reason != ExitReason::Opposite)];
        until.saturating_sub(self.nights[decided + 1][0])
    }

    fn planned(&self, at: usize, side: Side) -> Option<Plan> {
        let later = self.bars.get(at + 1..)?;
        let exit = fill::exit(side, self.bars[at].close, later, &self.terms.exits)?;
        let exit_at = at + 1 + exit.bar;
        let nights = self.nights(at, exit_at, exit.reason);
        let net = self.net(at, exit.price, nights, side);
        let exit_place = u32::try_from(exit_at).ok()?;
        Some(Plan { exit: exit_place, net, reason: exit.reason, is_ambiguous: exit.is_ambiguous })
    }

    fn net(&self, decided: usize, price: f64, nights: u32, side: Side) -> f64 {
        let Terms { costs, exits, .. } = &self.terms;
        let point = exits.point();
        let entry = fill::entry_price(side, self.bars[decided + 1].open, costs, point);
        let net = fill::net_points(side, entry, fill::exit_price(side, price, costs, point), nights, costs, point);
        // Digits after a millionth of a point are rounding errors of the division.
        (net * 1e6).round() / 1e6
    }
}

const fn place(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}
