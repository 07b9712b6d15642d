//! What a journal says of an account: whether the position of an order is open and what it brings, and profit and loss by
//! period and symbol. `sentinel orders`, `explain` and `pnl` print it.

#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod positions;
pub(crate) mod profit;
