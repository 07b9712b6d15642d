//! The gateway's account: positions, their value and the balance. Pure computation.

use sentinel_actors::domain::order::Side;
use std::collections::VecDeque;

/// Units of the base currency in a lot.
const LOT_UNITS: f64 = 100_000.0;
const BALANCE_START: f64 = 100_000.0;
/// Leverage.
const LEVERAGE: f64 = 100.0;
const FIRST_TICKET: i64 = 1_000_001;
/// Most open positions; beyond this the oldest is closed, so that memory stays small in a long demo.
const POSITIONS_MAX: usize = 200;

/// An open position. Quote currency and account currency are assumed to be the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The broker's number.
    pub ticket: i64,
    /// The instrument.
    pub symbol: String,
    /// Direction.
    pub side: Side,
    /// Size in lots.
    pub volume: f64,
    /// Price of the fill.
    pub open_price: f64,
    /// Price of the stop-loss; 0: none.
    pub stop_loss: f64,
    /// Price of the take-profit; 0: none.
    pub take_profit: f64,
}

impl Position {
    /// Profit at `price`, in money.
    pub fn profit(&self, price: f64) -> f64 {
        self.towards_profit() * (price - self.open_price) * self.volume * LOT_UNITS
    }

    fn towards_profit(&self) -> f64 {
        match self.side {
            Side::Buy => 1.0,
            Side::Sell => -1.0,
        }
    }

    fn is_stopped_at(&self, price: f64) -> bool {
        let past = |level: f64| (price - level) * self.towards_profit();
        (self.stop_loss != 0.0 && past(self.stop_loss) <= 0.0)
            || (self.take_profit != 0.0 && past(self.take_profit) >= 0.0)
    }
}

/// The state of an account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Money, including closed positions.
    pub balance: f64,
    /// Balance and the profit of the open positions.
    pub equity: f64,
    /// Margin of the open positions.
    pub margin: f64,
    /// Open positions.
    pub open_positions: usize,
    /// Orders filled since the start.
    pub orders_filled: u64,
}

/// Positions and money.
#[derive(Debug)]
pub struct Account {
    balance: f64,
    positions: VecDeque<Position>,
    orders_filled: u64,
}

impl Default for Account {
    fn default() -> Self {
        Self { balance: BALANCE_START, positions: VecDeque::new(), orders_filled: 0 }
    }
}

impl Account {
    /// Opens `position` with a new ticket; `price_of` values the oldest position, if it must be closed.
    pub fn open(&mut self, mut position: Position, price_of: impl Fn(&Position) -> f64) -> i64 {
        if self.positions.len() >= POSITIONS_MAX {
            self.close_if_first(|_| true, &price_of);
        }
        position.ticket = FIRST_TICKET.saturating_add_unsigned(self.orders_filled);
        self.orders_filled += 1;
        let ticket = position.ticket;
        self.positions.push_back(position);
        ticket
    }

    /// Closes the position with this ticket; returns it with its closing price, or `None` if there is none.
    pub fn close(&mut self, ticket: i64, price_of: impl Fn(&Position) -> f64) -> Option<(Position, f64)> {
        self.close_if_first(|position| position.ticket == ticket, &price_of)
    }

    /// Closes every position whose stop-loss or take-profit is reached, at the current price.
    pub fn close_stopped(&mut self, price_of: impl Fn(&Position) -> f64) {
        while self.close_if_first(|position| position.is_stopped_at(price_of(position)), &price_of).is_some() {}
    }

    fn close_if_first(
        &mut self,
        wanted: impl Fn(&Position) -> bool,
        price_of: &impl Fn(&Position) -> f64,
    ) -> Option<(Position, f64)> {
        let index = self.positions.iter().position(wanted)?;
        let position = self.positions.remove(index)?;
        let price = price_of(&position);
        self.balance += position.profit(price);
        Some((position, price))
    }

    /// Open positions, oldest first.
    pub fn positions(&self) -> impl Iterator<Item = &Position> {
        self.positions.iter()
    }

    /// The state at current prices.
    pub fn summary(&self, price_of: impl Fn(&Position) -> f64) -> Summary {
        let profit: f64 = self.positions.iter().map(|position| position.profit(price_of(position))).sum();
        let exposure: f64 =
            self.positions.iter().map(|position| position.volume * LOT_UNITS * position.open_price).sum();
        Summary {
            balance: self.balance,
            equity: self.balance + profit,
            margin: exposure / LEVERAGE,
            open_positions: self.positions.len(),
            orders_filled: self.orders_filled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(side: Side, stop_loss: f64, take_profit: f64) -> Position {
        Position { ticket: 0, symbol: "EURUSD".into(), side, volume: 0.1, open_price: 1.1, stop_loss, take_profit }
    }

    #[test]
    fn the_profit_of_100_pips_on_a_tenth_of_a_lot_is_100() {
        assert!((position(Side::Buy, 0.0, 0.0).profit(1.11) - 100.0).abs() < 1e-9);
        assert!((position(Side::Sell, 0.0, 0.0).profit(1.11) + 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_closed_profit_is_added_to_the_balance() {
        let mut account = Account::default();
        let first = account.open(position(Side::Buy, 0.0, 0.0), |_| 1.1);
        assert_eq!((first, account.open(position(Side::Sell, 0.0, 0.0), |_| 1.1)), (1_000_001, 1_000_002));
        let at_open = account.summary(|_| 1.1);
        assert_eq!((at_open.balance, at_open.equity, at_open.open_positions), (100_000.0, 100_000.0, 2));
        assert!((at_open.margin - 220.0).abs() < 1e-9);
        assert!(account.close(first, |_| 1.11).is_some());
        assert_eq!(account.close(first, |_| 1.11), None);
        let after = account.summary(|_| 1.11);
        assert!((after.balance - 100_100.0).abs() < 1e-9 && (after.equity - 100_000.0).abs() < 1e-9);
    }

    #[test]
    fn a_position_is_closed_at_its_stops() {
        for (side, stop_loss, take_profit, price, closed) in [
            (Side::Buy, 1.09, 1.12, 1.1, false),
            (Side::Buy, 1.09, 1.12, 1.09, true),
            (Side::Buy, 1.09, 1.12, 1.13, true),
            (Side::Sell, 1.11, 1.08, 1.1, false),
            (Side::Sell, 1.11, 1.08, 1.12, true),
            (Side::Sell, 1.11, 1.08, 1.08, true),
            (Side::Sell, 0.0, 0.0, 9.0, false),
        ] {
            let mut account = Account::default();
            account.open(position(side, stop_loss, take_profit), |_| 1.1);
            account.close_stopped(|_| price);
            assert_eq!(account.positions().count() == 0, closed, "{side:?} at {price}");
        }
    }

    #[test]
    fn beyond_the_limit_the_oldest_position_is_closed() {
        let mut account = Account::default();
        for _ in 0..=POSITIONS_MAX {
            account.open(position(Side::Buy, 0.0, 0.0), |_| 1.1);
        }
        assert_eq!(account.positions().count(), POSITIONS_MAX);
        assert_eq!(account.positions().next().map(|position| position.ticket), Some(FIRST_TICKET + 1));
    }
}
