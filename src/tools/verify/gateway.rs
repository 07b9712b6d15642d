//! `sentinel verify gateway`: the harmless handshake in the configured dialect, and a report a person can act on.

use super::{FIREWALL, Report, SettingsArgs, block_on, is_lost};
use crate::{
    net::without_brackets,
    process::exit::refuse,
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
    domain::{
        exposure::KnownNames, instrument::Instrument, position::Position, sanitize::one_line,
        symbol_matching::are_alike,
    },
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
    println!("Gateway {}, dialect {dialect}, {line}\n", gateway.address());
    block_on(verify(&settings)).conclude(false)
}

async fn verify(settings: &Resolved<VerifyGateway>) -> Report {
    let (gateway, kind) = (&settings.gateway, settings.purpose.dialect);
    let asking = Asking {
        dialect: dialect(kind, DialectParams::default()),
        peer: settings.peer(),
        deadline: Duration::from_millis(gateway.deadline_ms),
    };
    let mut report = Report::new("gateway", ["Nothing speaks against it.", "Not ready for orders."]);
    if let Err(error) = reach(gateway, asking.deadline).await {
        let way_out = "start the gateway, or correct gateway.host and gateway.port";
        report.failed("address", &error, if is_lost(&error) { FIREWALL } else { way_out });
        return report;
    }
    report.ok("address", "accepts connections");
    if !kind.has_handshake() {
        by_hand(gateway, kind, &mut report);
        return report;
    }
    let shaken = handshake::run(&*asking.dialect, &asking.peer, asking.deadline, &SystemClock).await;
    if describe(&shaken, kind, asking.peer.curve.is_some(), &mut report) {
        asking.account(&mut report).await;
        asking.positions((&settings.instruments, &settings.gateway.other_names), &mut report).await;
    }
    report
}

/// A TCP connection and not a byte on it, to where ZeroMQ would connect: it looks a name up as IPv4 only.
async fn reach(gateway: &GatewaySettings, deadline: Duration) -> io::Result<()> {
    let host = without_brackets(&gateway.host);
    let connecting = async {
        let is_address = host.parse::<IpAddr>().is_ok();
        let found = lookup_host((host, gateway.port)).await?;
        let usable: Vec<_> = found.filter(|address| is_address || address.is_ipv4()).collect();
        if usable.is_empty() {
            return Err(io::Error::other("the name has no IPv4 address: say the IPv6 address itself"));
        }
        TcpStream::connect(&usable[..]).await
    };
    tokio::time::timeout(deadline, connecting).await.map_err(|_| io::ErrorKind::TimedOut)?.map(drop)
}

fn by_hand(gateway: &GatewaySettings, kind: DialectKind, report: &mut Report) {
    let found = format!("not asked: {kind} has no request that is known to be harmless; nothing was sent");
    if gateway.i_checked_it_by_hand {
        report.ok("dialect", format!("{found}; gateway.i_checked_it_by_hand is your word for it"));
    } else {
        let way_out = "check by hand that this gateway speaks this dialect and that its clock is right, then say so: \
                       gateway.i_checked_it_by_hand = true";
        report.failed("dialect", found, way_out);
    }
}

/// Reports the handshake; says whether there is any use in asking more.
fn describe(
    shaken: &Result<Handshake, HandshakeError>,
    kind: DialectKind,
    has_keys: bool,
    report: &mut Report,
) -> bool {
    match shaken {
        Ok(Handshake { roundtrip, clock_skew_ms }) => {
            confirmed(*roundtrip, kind, report);
            match clock_skew_ms {
                Some(skew_ms) => report.ok("clock", offset(*skew_ms)),
                None => report.note("clock", "the gateway does not tell its time; compare it by hand"),
            }
            true
        }
        Err(HandshakeError::ClockSkew { skew_ms, roundtrip }) => {
            confirmed(*roundtrip, kind, report);
            let found = format!("{}; at most {} s is accepted", offset(*skew_ms), CLOCK_SKEW_MAX.as_secs());
            report.failed("clock", found, clock_way_out(*skew_ms));
            true
        }
        Err(HandshakeError::BadTime { reason, roundtrip }) => {
            confirmed(*roundtrip, kind, report);
            let way_out = "the dialect is right, its time is not: let the gateway tell unix seconds or ISO 8601 in UTC, \
                           MetaTrader's 2026.11.28 05:01:15 in UTC, or no time at all";
            report.failed("clock", reason, way_out);
            false
        }
        Err(HandshakeError::Query(QueryError::BadReply { reason, roundtrip })) => {
            answered(*roundtrip, report);
            let way_out = "correct gateway.dialect by what the gateway's documentation says, never by trying: some \
                           gateways trade on almost any message";
            report.failed("dialect", reason, way_out);
            false
        }
        Err(HandshakeError::Query(error)) => {
            report.failed("answer", error, no_answer_way_out(error, has_keys));
            false
        }
    }
}

fn answered(roundtrip: Duration, report: &mut Report) {
    report.ok("answer", format!("in {:.1} ms", roundtrip.as_secs_f64() * 1e3));
}

/// It answered, and in its dialect.
fn confirmed(roundtrip: Duration, kind: DialectKind, report: &mut Report) {
    answered(roundtrip, report);
    let found = match kind {
        DialectKind::PlaceOrder => "its liveness check is answered; there is no id, so this is all there is to know",
        _ => "its liveness check is answered, with the id of this request",
    };
    report.ok("dialect", found);
}

const fn no_answer_way_out(error: &QueryError, has_keys: bool) -> &'static str {
    match error {
        QueryError::NoReply { .. } => {
            "it took the request and is silent: look at its log; gateway.deadline_ms is how long it may take"
        }
        _ if has_keys => {
            "something listens there, but it does not speak ZeroMQ with CURVE, or the keys do not fit: is \
             gateway.curve_server_key_file the gateway's public key, and does the gateway know the key in \
             gateway.curve_public_key_file?"
        }
        _ => {
            "something listens there, but it does not speak ZeroMQ, or only with CURVE: is gateway.port the \
             gateway's, and does it want keys (gateway.curve_server_key_file)?"
        }
    }
}

/// A broker's time is whole half hours from UTC, give or take what is accepted.
fn clock_way_out(skew_ms: i64) -> &'static str {
    const HALF_HOUR_MS: i64 = 1_800_000;
    let from_zone = (skew_ms + HALF_HOUR_MS / 2).rem_euclid(HALF_HOUR_MS) - HALF_HOUR_MS / 2;
    let is_zone =
        skew_ms.abs() > HALF_HOUR_MS / 2 && u128::from(from_zone.unsigned_abs()) <= CLOCK_SKEW_MAX.as_millis();
    if is_zone {
        "that is a time zone: let the gateway tell UTC, not its broker's time; if it does, set both machines' clocks by NTP"
    } else {
        "set both machines' clocks by NTP, in UTC"
    }
}

fn offset(skew_ms: i64) -> String {
    let direction = if skew_ms < 0 { "behind" } else { "ahead of" };
    format!("{:.3} s {direction} ours", skew_ms.unsigned_abs() as f64 / 1e3)
}

/// What it takes to ask.
struct Asking {
    dialect: Box<dyn Dialect>,
    peer: Peer,
    deadline: Duration,
}

const NO_ACCOUNT: &str = "is the gateway logged in to MetaTrader?";

impl Asking {
    async fn ask(&self, question: Query) -> Result<Answered, QueryError> {
        handshake::ask(&*self.dialect, question, &self.peer, self.deadline, &SystemClock).await
    }

    async fn account(&self, report: &mut Report) {
        match self.ask(Query::Account).await.map(|answered| answered.answer.account()) {
            Ok(Ok(account)) => {
                let currency = account.currency.unwrap_or_default();
                report.ok("account", format!("balance {:.2}, equity {:.2} {currency}", account.balance, account.equity))
            }
            Ok(Err(error)) => report.failed("account", error, NO_ACCOUNT),
            Err(QueryError::NoRequest { .. }) => report.note("account", "cannot be asked for in this dialect"),
            Err(error) => report.failed("account", error, NO_ACCOUNT),
        }
    }

    async fn positions(&self, (instruments, others): (&[Instrument], &[String]), report: &mut Report) {
        match self.ask(Query::Positions).await.map(|answered| answered.answer.positions()) {
            Ok(Ok(positions)) if positions.is_empty() && self.dialect.kind() == DialectKind::Envelope => {
                report.note("positions", "none listed, which proves nothing: a gateway cut off from MT5 says the same")
            }
            Ok(Ok(positions)) => list(&positions, (instruments, others), report),
            Ok(Err(error)) => report.failed("positions", error, NO_ACCOUNT),
            Err(QueryError::NoRequest { .. }) => report.note("positions", "cannot be asked for in this dialect"),
            Err(error) => report.failed("positions", error, NO_ACCOUNT),
        }
    }
}

/// Positions shown one by one; of more, only those in doubt.
const SHOWN_MAX: usize = 20;

/// Says every open position, and which are in doubt. A name that no symbol has is another system's position or, if it is
/// spelled alike, one of ours that the settings do not know by that name.
fn list(positions: &[Position], (instruments, others): (&[Instrument], &[String]), report: &mut Report) {
    let names = KnownNames::new(instruments, others);
    let (known, strange): (Vec<_>, Vec<_>) = positions.iter().partition(|position| names.explain(position));
    let alike = |position: &Position| {
        let is_alike = |name: &str| are_alike(&position.gateway_name, name);
        instruments.iter().find(|own| is_alike(&own.gateway_name) || is_alike(own.symbol.as_str()))
    };
    let (doubts, foreign): (Vec<_>, Vec<_>) =
        strange.into_iter().map(|position| (position, alike(position))).partition(|(_, own)| own.is_some());
    let mut lines = vec![format!("{} open", positions.len())];
    lines.extend(known.iter().take(SHOWN_MAX).map(|position| shown(position)));
    lines
        .extend(foreign.iter().take(SHOWN_MAX).map(|(position, _)| format!("{}: no symbol of yours", shown(position))));
    let left_out = known.len().saturating_sub(SHOWN_MAX) + foreign.len().saturating_sub(SHOWN_MAX);
    if left_out > 0 {
        lines.push(format!("and {left_out} more that are in no doubt"));
    }
    report.ok("positions", lines.join("\n"));
    for (position, own) in doubts.into_iter().filter_map(|(position, own)| Some((position, own?))) {
        let name = one_line(&position.gateway_name);
        report.warning(
            "position",
            format!("{}: in doubt, no symbol has this name, and {} is spelled alike", shown(position), own.symbol),
            format!(
                "it holds {}'s limits, and nobody closes it; if it is the same instrument to the broker, say so in its \
                 [[symbols]] table: gateway_name = \"{name}\"",
                own.symbol
            ),
        );
    }
}

fn shown(position: &Position) -> String {
    let Position { ticket, gateway_name, side, volume } = position;
    format!("ticket {ticket}: {} {volume} lots of {}", side.as_str(), one_line(gateway_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_actors::domain::{instrument::Symbol, order::Side};

    #[test]
    fn a_position_under_another_spelling_is_a_doubt_and_no_failure() {
        let instrument = |symbol: &str, gateway_name: &str| Instrument {
            symbol: Symbol::new(symbol),
            ticker: String::new(),
            gateway_name: gateway_name.into(),
            threshold: 0.6,
            volume: 0.01,
            digits: 5,
            stop_loss: None,
            take_profit: None,
        };
        let instruments = [instrument("EURUSD", "EURUSDm"), instrument("US500", "SPX Cash")];
        let names = ["EURUSDm", "eurusdM", "EURUSD.raw", "Gold", "US500.x", "SPX Cash"];
        let position = |(index, name): (usize, &&str)| Position {
            ticket: index as i64 + 1,
            gateway_name: (*name).into(),
            side: Side::Buy,
            volume: 0.1,
        };
        let positions: Vec<_> = names.iter().enumerate().map(position).collect();
        let mut report = Report::new("gateway", ["Good.", "Bad."]);
        list(&positions, (&instruments, &[]), &mut report);
        let text = report.to_string();
        let warned: Vec<_> = text.lines().filter(|line| line.contains("WARN  ")).collect();
        assert_eq!(warned.len(), 2, "{text}");
        assert!(warned[0].contains("ticket 3: BUY 0.1 lots of EURUSD.raw: in doubt"), "{text}");
        assert!(warned[1].contains("US500.x") && warned[1].contains("US500 is spelled alike"), "{text}");
        assert!(text.contains("gateway_name = \"EURUSD.raw\"") && text.contains("Gold: no symbol of yours"), "{text}");
        assert!(text.contains("6 open") && text.contains("\nGood."), "{text}");
    }

    #[test]
    fn a_time_zone_is_told_from_a_clock_that_is_off() {
        for skew_ms in [3_600_000, 7_199_000, -10_801_500, 1_800_000, 19_800_000] {
            assert!(clock_way_out(skew_ms).contains("time zone"), "{skew_ms}");
        }
        for skew_ms in [3_000, -3_000, 900_000, 3_603_000, -45_000] {
            assert!(!clock_way_out(skew_ms).contains("time zone"), "{skew_ms}");
        }
    }
}
