//! What settings are loaded for. What only one purpose needs is there for that purpose alone, so nobody meets a key that
//! may be missing.

use super::{
    LIVE, Settings,
    validate::{self, Found},
};
use sentinel_actors::adapters::{eodhd::ApiToken, gateway::DialectKind};

/// A use of the settings. Ranges hold for each; what must be there depends on it.
pub trait Purpose: Sized {
    /// What the purpose needs, or the problems why it is not there. `is_live_asked`: by a flag.
    fn of(settings: &Settings, is_live_asked: bool, found: &mut Found) -> Option<Self>;
}

/// The daemon: needs the market data token, and in live mode whatever an order needs.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Where EODHD's key comes from.
    pub token: ApiToken,
    /// Whether orders leave, and how.
    pub gateway: Gateway,
}

/// Asking the gateway something harmless: needs the dialect.
#[derive(Debug, Clone, Copy)]
pub struct VerifyGateway {
    /// What the gateway speaks.
    pub dialect: DialectKind,
}

/// Asking the market data provider: needs the token.
#[derive(Debug, Clone)]
pub struct VerifyMarket {
    /// Where EODHD's key comes from.
    pub token: ApiToken,
}

/// Asking the model server: needs nothing on top.
#[derive(Debug, Clone, Copy)]
pub struct VerifyModel;

/// What becomes of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gateway {
    /// They are built and stay here.
    DryRun {
        /// As it was said, if it was.
        dialect: Option<DialectKind>,
        /// As it was said, else a stand-in for it.
        account: String,
    },
    /// They leave.
    Live {
        /// What the gateway speaks.
        dialect: DialectKind,
        /// The trading account.
        account: String,
    },
}

impl Gateway {
    /// The account of a dry run that was told none.
    const NO_ACCOUNT: &'static str = "dry-run";

    /// Whether orders leave.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// Part of every order's identity.
    pub fn account(&self) -> &str {
        let (Self::DryRun { account, .. } | Self::Live { account, .. }) = self;
        account
    }

    /// The dialect that was said; a dry run needs none.
    pub const fn said_dialect(&self) -> Option<DialectKind> {
        match self {
            Self::DryRun { dialect, .. } => *dialect,
            Self::Live { dialect, .. } => Some(*dialect),
        }
    }

    /// The dialect that orders are built in. A dry run sends nothing, so any will do there, and v43 can say everything.
    pub const fn dialect(&self) -> DialectKind {
        match self.said_dialect() {
            Some(dialect) => dialect,
            None => DialectKind::V43,
        }
    }
}

impl Purpose for Daemon {
    fn of(settings: &Settings, is_live_asked: bool, found: &mut Found) -> Option<Self> {
        let is_live = settings.trading.live;
        found.unless(
            is_live_asked || !is_live,
            LIVE,
            "a file or the environment alone does not switch live mode on: start with --live",
        );
        let token = validate::token(settings, found);
        let gateway = &settings.gateway;
        let gateway = if is_live {
            validate::live(settings, found);
            gateway.dialect.zip(gateway.account.clone()).map(|(dialect, account)| Gateway::Live { dialect, account })
        } else {
            let account = gateway.account.clone().unwrap_or_else(|| Gateway::NO_ACCOUNT.into());
            Some(Gateway::DryRun { dialect: gateway.dialect, account })
        };
        Some(Self { token: token?, gateway: gateway? })
    }
}

impl Purpose for VerifyGateway {
    fn of(settings: &Settings, _: bool, found: &mut Found) -> Option<Self> {
        Some(Self { dialect: validate::dialect(settings, found)? })
    }
}

impl Purpose for VerifyMarket {
    fn of(settings: &Settings, _: bool, found: &mut Found) -> Option<Self> {
        Some(Self { token: validate::token(settings, found)? })
    }
}

impl Purpose for VerifyModel {
    fn of(_: &Settings, _: bool, _: &mut Found) -> Option<Self> {
        Some(Self)
    }
}
