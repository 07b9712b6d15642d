//! Reports the open positions.

use super::super::Report;
use sentinel_actors::domain::{
    exposure::KnownNames, instrument::Instrument, position::Position, sanitize::one_line, symbol_matching::are_alike,
};

/// Most positions that are listed; those in doubt are always listed.
const SHOWN_MAX: usize = 20;

/// Reports the open positions, and which are in doubt. A name that no symbol has belongs to another system's position or, if it is
/// similar to a symbol's, perhaps to one of ours under a name missing in the settings.
pub(super) fn list(positions: &[Position], (instruments, others): (&[Instrument], &[String]), report: &mut Report) {
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
    lines.extend(
        foreign.iter().take(SHOWN_MAX).map(|(position, _)| format!("{}: not one of your symbols", shown(position))),
    );
    let left_out = known.len().saturating_sub(SHOWN_MAX) + foreign.len().saturating_sub(SHOWN_MAX);
    if left_out > 0 {
        lines.push(format!("and {left_out} more that are not in doubt"));
    }
    report.ok("positions", lines.join("\n"));
    for (position, own) in doubts.into_iter().filter_map(|(position, own)| Some((position, own?))) {
        let name = one_line(&position.gateway_name);
        report.warning(
            "position",
            format!("{}: in doubt, no symbol has this name, but {} is similar", shown(position), own.symbol),
            format!(
                "it counts against {}'s limits, and Sentinel does not close it; if it is the same instrument at the broker, set \
                 this in its [[symbols]] table: gateway_name = \"{name}\"",
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
    fn a_position_with_a_similar_name_is_a_warning() {
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
        assert!(warned[1].contains("US500.x") && warned[1].contains("US500 is similar"), "{text}");
        assert!(
            text.contains("gateway_name = \"EURUSD.raw\"") && text.contains("Gold: not one of your symbols"),
            "{text}"
        );
        assert!(text.contains("6 open") && text.contains("\nGood."), "{text}");
    }
}
