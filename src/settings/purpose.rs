//! What settings are loaded for. Values that only one purpose needs are fields of that purpose, so they are never missing where
//! they are used.

use super::{
    ClusterMode, LIVE, Settings,
    validate::{self, Found},
};
use sentinel_actors::adapters::{eodhd::ApiToken, gateway::DialectKind};

/// A use of the settings. Ranges are the same for all; which keys are required depends on the purpose.
pub trait Purpose: Sized {
    /// What the purpose needs; if something is missing, `None` and the problems. `is_live_asked`: by a flag.
    fn of(settings: &Settings, is_live_asked: bool, found: &mut Found) -> Option<Self>;
}

/// The daemon: needs the market data token, and in live mode everything for orders.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Where EODHD's key comes from.
    pub token: ApiToken,
    /// Whether orders are sent, and how.
    pub gateway: Gateway,
}

/// Verifying the gateway: needs the dialect.
#[derive(Debug, Clone, Copy)]
pub struct VerifyGateway {
    /// The gateway's message format.
    pub dialect: DialectKind,
}

/// Verifying the market data provider: needs the token.
#[derive(Debug, Clone)]
pub struct VerifyMarket {
    /// Where EODHD's key comes from.
    pub token: ApiToken,
}

/// Verifying the model server: needs nothing more.
#[derive(Debug, Clone, Copy)]
pub struct VerifyModel;

/// Looking at the account's claim: needs a cluster and the account.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The trading account.
    pub account: String,
}

/// Whether orders are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gateway {
    /// They are built but not sent.
    DryRun {
        /// As set, if it is.
        dialect: Option<DialectKind>,
        /// As set, else a placeholder.
        account: String,
    },
    /// They are sent.
    Live {
        /// The gateway's message format.
        dialect: DialectKind,
        /// The trading account.
        account: String,
    },
}

impl Gateway {
    /// The account of a dry run without an account.
    const NO_ACCOUNT: &'static str = "dry-run";

    /// Whether orders are sent.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// Part of every order's identity.
    pub fn account(&self) -> &str {
        let (Self::DryRun { account, .. } | Self::Live { account, .. }) = self;
        account
    }

    /// The dialect as set; a dry run needs none.
    pub const fn said_dialect(&self) -> Option<DialectKind> {
        match self {
            Self::DryRun { dialect, .. } => *dialect,
            Self::Live { dialect, .. } => Some(*dialect),
        }
    }

    /// The dialect in which orders are built. In a dry run any will do; v43 has fields for everything.
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
            "a file or the environment alone does not enable live mode: start with --live",
        );
        let token = validate::token(settings, found);
        validate::rates(settings, found);
        validate::member(settings, found);
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

impl Purpose for Cluster {
    fn of(settings: &Settings, _: bool, found: &mut Found) -> Option<Self> {
        let mode = settings.cluster.mode;
        found.unless(
            mode != ClusterMode::Off,
            "cluster.mode",
            "is off, so no account is claimed: set it to guard or shared",
        );
        found.unless(
            settings.gateway.account.is_some(),
            "gateway.account",
            "is needed: --account with the trading account",
        );
        settings.gateway.account.clone().map(|account| Self { account })
    }
}

impl Purpose for VerifyModel {
    fn of(_: &Settings, _: bool, _: &mut Found) -> Option<Self> {
        Some(Self)
    }
}
