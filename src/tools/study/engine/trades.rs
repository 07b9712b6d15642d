//! From signals to trades: which signal opens a position, which one is ignored because a position is open, and which one ends one.

use super::market::{Market, Plan, Trade};
use sentinel_actors::domain::{
    fill::ExitReason,
    position::{AccountMode, Opposite},
    side::Side,
};

/// What a signal does to open positions of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OppositeRule {
    /// Nothing: it opens beside them. `guards.opposite = "open"` on a hedging account.
    Open,
    /// It ends one of them and opens none: `"open"` on a netting account, where the two orders cancel each other.
    CloseOnly,
    /// It ends them and opens: `"close_then_open"`.
    CloseThenOpen,
    /// It is not sent: `"skip"`.
    Skip,
}

impl OppositeRule {
    /// As the daemon does on such an account.
    pub const fn of(opposite: Opposite, account: AccountMode) -> Self {
        match (opposite, account) {
            (Opposite::Open, AccountMode::Hedging) => Self::Open,
            (Opposite::Open, AccountMode::Netting) => Self::CloseOnly,
            (Opposite::CloseThenOpen, _) => Self::CloseThenOpen,
            (Opposite::Skip, _) => Self::Skip,
        }
    }

    /// As in study.json.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::CloseOnly => "close_only",
            Self::CloseThenOpen => "close_then_open",
            Self::Skip => "skip",
        }
    }
}

/// Which signals become trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Positions at once on a side; 0 is no limit.
    pub positions_max: u32,
    /// What a signal does to the other side.
    pub opposite: OppositeRule,
}

/// Open positions, the one that ends first at the front.
struct Book<'a> {
    market: &'a Market,
    open: Vec<Trade>,
}

/// Trades of these signals in the order of their ends. A signal whose position does not end within the bars makes none.
pub fn run(market: &Market, policy: Policy, signals: impl Iterator<Item = (u32, Side)>, mut ended: impl FnMut(&Trade)) {
    let mut book = Book { market, open: Vec::with_capacity(4) };
    let limit = if policy.positions_max == 0 { usize::MAX } else { policy.positions_max as usize };
    for (bar, side) in signals {
        book.end_until(bar, &mut ended);
        let Some(plan) = market.plan(bar, side) else { continue };
        let others = book.open.iter().any(|trade| trade.side != side);
        match policy.opposite {
            OppositeRule::Skip if others => continue,
            OppositeRule::CloseOnly if others => {
                book.end_one(bar + 1, side.opposite(), &mut ended);
                continue;
            }
            OppositeRule::CloseThenOpen if others => while book.end_one(bar + 1, side.opposite(), &mut ended) {},
            _ => {}
        }
        if book.open.iter().filter(|trade| trade.side == side).count() < limit {
            book.begin(bar, side, plan);
        }
    }
    book.end_until(u32::MAX, &mut ended);
}

impl Book<'_> {
    fn begin(&mut self, bar: u32, side: Side, plan: Plan) {
        let Plan { exit, net, reason, is_ambiguous } = plan;
        let place = self.open.partition_point(|trade| trade.exit <= exit);
        self.open.insert(place, Trade { bar, exit, side, reason, is_ambiguous, net });
    }

    /// Ends what has ended by this bar's close.
    fn end_until(&mut self, bar: u32, ended: &mut impl FnMut(&Trade)) {
        while let Some(first) = self.open.first().filter(|trade| trade.exit <= bar) {
            ended(first);
            self.open.remove(0);
        }
    }

    /// Ends the oldest of this side at this bar's open. Answers whether there was one.
    fn end_one(&mut self, bar: u32, side: Side, ended: &mut impl FnMut(&Trade)) -> bool {
        let Some(place) = self.open.iter().position(|trade| trade.side == side) else { return false };
        let mut trade = self.open.remove(place);
        // What is planned ends in this bar or later, and its open comes before all else in it.
        trade.net = self.market.net_at_open(trade.bar, bar, side);
        (trade.exit, trade.reason, trade.is_ambiguous) = (bar, ExitReason::Opposite, false);
        ended(&trade);
        true
    }
}
