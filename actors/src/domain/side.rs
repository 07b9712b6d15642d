//! The direction of an order.

use crate::domain::decision::Action;
use serde::{Deserialize, Serialize};

/// Direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Open a long position.
    Buy,
    /// Open a short position.
    Sell,
}

impl Side {
    /// `BUY` or `SELL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }

    /// The other direction.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// The side of an action; `None` for HOLD.
    pub const fn from_action(action: Action) -> Option<Self> {
        match action {
            Action::Buy => Some(Self::Buy),
            Action::Sell => Some(Self::Sell),
            Action::Hold => None,
        }
    }
}
