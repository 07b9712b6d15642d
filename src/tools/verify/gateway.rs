//! `sentinel verify gateway`: the harmless handshake in the configured dialect.

mod positions;

use super::{FIREWALL, Report, SettingsArgs, block_on, is_lost};
use crate::{
    net::without_brackets,
    process::{exit::refuse, output::say},
    settings::{GatewaySettings, Resolved, Settings, VerifyGateway},
};
use sentinel_actors::{
    adapters::{
        gateway::{
            Dialect, DialectKind, DialectParams, Peer, Query, dialect,
            handshake::{self, Answered, CLOCK_SKEW_MAX, Handshake, HandshakeError, QueryError},
        },
        system_clock::SystemClock,
    },
    domain::instrument::Instrument,
};
use std::{io, net::IpAddr, process::ExitCode, time::Duration};
use tokio::net::{TcpStream, lookup_host};

pub(super) fn main(args: &SettingsArgs) -> ExitCode {
    let settings = match Settings::load_for(&args.beside()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let gateway = &settings.gateway;
    let VerifyGateway { dialect } = settings.purpose;
    let line = if settings.curve.is_some() { "CURVE" } else { "plaintext" };
    say(&format!("Gateway {}, dialect {dialect}, {line}\n", gateway.address()));
    block_on(verify(&settings)).conclude(false)
}

async fn verify(settings: &Resolved<VerifyGateway>) -> Report {
    let (gateway, kind) = (&settings.gateway, settings.purpose.dialect);
    let session = Session {
        dialect: dialect(kind, DialectParams::default()),
        peer: settings.peer(),
        deadline: Duration::from_millis(gateway.deadline_ms),
    };
    let mut report = Report::new("gateway", ["No problem found.", "Not ready for orders."]);
    if let Err(error) = reach(gateway, session.deadline).await {
        let advice = "start the gateway, or correct gateway.host and gateway.port";
        report.failed("address", &error, if is_lost(&error) { FIREWALL } else { advice });
        return report;
    }
    report.ok("address", "accepts connections");
    if !kind.has_handshake() {
        by_hand(gateway, kind, &mut report);
        return report;
    }
    let outcome = handshake::run(&*session.dialect, &session.peer, session.deadline, &SystemClock).await;
    if describe(&outcome, kind, session.peer.curve.is_some(), &mut report) {
        session.account(&mut report).await;
        let instruments: Vec<_> = settings.instruments().cloned().collect();
        session.positions((&instruments, &settings.gateway.other_names), &mut report).await;
    }
    report
}

/// Opens a TCP connection without sending anything, to the address ZeroMQ would use: it resolves names to IPv4 only.
async fn reach(gateway: &GatewaySettings, deadline: Duration) -> io::Result<()> {
    let host = without_brackets(&gateway.host);
    let connecting = async {
        let is_address = host.parse::<IpAddr>().is_ok();
        let found = lookup_host((host, gateway.port)).await?;
        let usable: Vec<_> = found.filter(|address| is_address || address.is_ipv4()).collect();
        if usable.is_empty() {
            return Err(io::Error::other("the name has no IPv4 address: set the IPv6 address itself"));
        }
        TcpStream::connect(&usable[..]).await
    };
    tokio::time::timeout(deadline, connecting).await.map_err(|_| io::ErrorKind::TimedOut)?.map(drop)
}

fn by_hand(gateway: &GatewaySettings, kind: DialectKind, report: &mut Report) {
    let found = format!("not checked: {kind} has no query that is known to be harmless; nothing was sent");
    if gateway.i_checked_it_by_hand {
        report.ok("dialect", format!("{found}; gateway.i_checked_it_by_hand confirms it"));
    } else {
        let advice = "check by hand that this gateway uses this dialect and that its clock is right, then confirm it with \
                      gateway.i_checked_it_by_hand = true";
        report.failed("dialect", found, advice);
    }
}

/// Reports the handshake; returns whether further requests make sense.
fn describe(
    outcome: &Result<Handshake, HandshakeError>,
    kind: DialectKind,
    has_keys: bool,
    report: &mut Report,
) -> bool {
    match outcome {
        Ok(Handshake { roundtrip, clock_skew_ms }) => {
            confirmed(*roundtrip, kind, report);
            match clock_skew_ms {
                Some(skew_ms) => report.ok("clock", offset(*skew_ms)),
                None => report.note("clock", "the gateway does not report its time; compare it by hand"),
            }
            true
        }
        Err(HandshakeError::ClockSkew { skew_ms, roundtrip }) => {
            confirmed(*roundtrip, kind, report);
            let found = format!("{}; at most {} s is accepted", offset(*skew_ms), CLOCK_SKEW_MAX.as_secs());
            report.failed("clock", found, clock_advice(*skew_ms));
            true
        }
        Err(HandshakeError::BadTime { reason, roundtrip }) => {
            confirmed(*roundtrip, kind, report);
            let advice = "the dialect is right, but not its time: the gateway must report unix seconds, ISO 8601 in UTC, \
                          MetaTrader's 2026.11.28 05:01:15 in UTC, or no time";
            report.failed("clock", reason, advice);
            false
        }
        Err(HandshakeError::Query(QueryError::BadReply { reason, roundtrip })) => {
            answered(*roundtrip, report);
            let advice = "correct gateway.dialect according to the gateway's documentation, not by trial: some gateways \
                          trade on almost any message";
            report.failed("dialect", reason, advice);
            false
        }
        Err(HandshakeError::Query(error)) => {
            report.failed("answer", error, no_answer_advice(error, has_keys));
            false
        }
    }
}

fn answered(roundtrip: Duration, report: &mut Report) {
    report.ok("answer", format!("in {:.1} ms", roundtrip.as_secs_f64() * 1e3));
}

/// Reports an answer in the right dialect.
fn confirmed(roundtrip: Duration, kind: DialectKind, report: &mut Report) {
    answered(roundtrip, report);
    let found = match kind {
        DialectKind::PlaceOrder => "its liveness check is answered; without an id, so no more can be verified",
        _ => "its liveness check is answered, with the id of this request",
    };
    report.ok("dialect", found);
}

const fn no_answer_advice(error: &QueryError, has_keys: bool) -> &'static str {
    match error {
        QueryError::NoReply { .. } => {
            "it accepted the request and did not answer: see its log; gateway.deadline_ms is how long it may take"
        }
        _ if has_keys => {
            "something listens there, but it does not use ZeroMQ with CURVE, or the keys do not match: is \
             gateway.curve_server_key_file the gateway's public key, and does the gateway know the key in \
             gateway.curve_public_key_file?"
        }
        _ => {
            "something listens there, but it does not use ZeroMQ, or only with CURVE: is gateway.port the gateway's, \
             and does it require keys (gateway.curve_server_key_file)?"
        }
    }
}

/// A broker's local time differs from UTC by whole half hours, within the accepted skew.
fn clock_advice(skew_ms: i64) -> &'static str {
    const HALF_HOUR_MS: i64 = 1_800_000;
    let from_zone = (skew_ms + HALF_HOUR_MS / 2).rem_euclid(HALF_HOUR_MS) - HALF_HOUR_MS / 2;
    let is_zone =
        skew_ms.abs() > HALF_HOUR_MS / 2 && u128::from(from_zone.unsigned_abs()) <= CLOCK_SKEW_MAX.as_millis();
    if is_zone {
        "that is a time zone: the gateway must report UTC, not its broker's time; if it does, set both machines' clocks with NTP"
    } else {
        "set both machines' clocks with NTP, in UTC"
    }
}

fn offset(skew_ms: i64) -> String {
    let direction = if skew_ms < 0 { "behind" } else { "ahead of" };
    format!("{:.3} s {direction} this machine's", skew_ms.unsigned_abs() as f64 / 1e3)
}

/// Sends queries to the gateway.
struct Session {
    dialect: Box<dyn Dialect>,
    peer: Peer,
    deadline: Duration,
}

const NO_ACCOUNT: &str = "is the gateway logged in to MetaTrader?";

impl Session {
    async fn ask(&self, query: Query) -> Result<Answered, QueryError> {
        handshake::ask(&*self.dialect, query, &self.peer, self.deadline, &SystemClock).await
    }

    async fn account(&self, report: &mut Report) {
        match self.ask(Query::Account).await.map(|answered| answered.answer.account()) {
            Ok(Ok(account)) => {
                let currency = account.currency.unwrap_or_default();
                report.ok("account", format!("balance {:.2}, equity {:.2} {currency}", account.balance, account.equity))
            }
            Ok(Err(error)) => report.failed("account", error, NO_ACCOUNT),
            Err(QueryError::NoRequest { .. }) => report.note("account", "this dialect has no request for it"),
            Err(error) => report.failed("account", error, NO_ACCOUNT),
        }
    }

    async fn positions(&self, (instruments, others): (&[Instrument], &[String]), report: &mut Report) {
        match self.ask(Query::Positions).await.map(|answered| answered.answer.positions()) {
            Ok(Ok(positions)) if positions.is_empty() && self.dialect.kind() == DialectKind::Envelope => report.note(
                "positions",
                "none listed, which proves nothing: a gateway without a connection to MT5 answers the same",
            ),
            Ok(Ok(positions)) => positions::list(&positions, (instruments, others), report),
            Ok(Err(error)) => report.failed("positions", error, NO_ACCOUNT),
            Err(QueryError::NoRequest { .. }) => report.note("positions", "this dialect has no request for them"),
            Err(error) => report.failed("positions", error, NO_ACCOUNT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_is_distinguished_from_a_wrong_clock() {
        for skew_ms in [3_600_000, 7_199_000, -10_801_500, 1_800_000, 19_800_000] {
            assert!(clock_advice(skew_ms).contains("time zone"), "{skew_ms}");
        }
        for skew_ms in [3_000, -3_000, 900_000, 3_603_000, -45_000] {
            assert!(!clock_advice(skew_ms).contains("time zone"), "{skew_ms}");
        }
    }
}
