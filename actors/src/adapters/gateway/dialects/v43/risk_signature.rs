//! The v43 risk signature: a checksum of the order, formatted like Python's `json.dumps(d, sort_keys=True)`, and the time of
//! signing. The gateway computes the same checksum from what it received, and refuses signatures older than 5 s.

use crate::domain::order::Order;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::{fmt::Write, time::Duration};

/// `RISK_PASS:<checksum>:<time>` for an order at `price`; `signed_at` is time since the unix epoch.
pub fn sign(order: &Order, price: f64, signed_at: Duration) -> String {
    // Without spaces: the gateway splits the signature at colons.
    let time = (DateTime::<Utc>::UNIX_EPOCH + signed_at).format("%Y%m%dT%H%M%SZ");
    format!("RISK_PASS:{}:{time}", checksum(&canonical(order, price)))
}

/// The first 8 hex digits of SHA-256 over the canonical text of the signed fields.
pub fn checksum(canonical: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(canonical.as_bytes()).into();
    let [a, b, c, d, ..] = digest;
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// The signed fields, sorted by name, with Python's separators.
fn canonical(order: &Order, price: f64) -> String {
    format!(
        r#"{{"price": {}, "sl": {}, "symbol": {}, "tp": {}, "type": "{}", "volume": {}}}"#,
        python_float(price),
        python_float(order.stop_loss),
        python_string(&order.gateway_name),
        python_float(order.take_profit),
        order.side.as_str(),
        python_float(order.volume),
    )
}

/// Python's `repr(float)`: shortest digits; an exponent below 1e-4 and from 1e16 on, with a sign and at least two digits.
pub fn python_float(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        // In this range Rust's `{:?}` and Python give the same: fixed notation with at least one decimal.
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
        // Not a finite number. An order never contains one, and the gateway would refuse it.
        None => text,
    }
}

/// A string as `json.dumps` writes it: everything except printable ASCII is escaped.
pub fn python_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapters::gateway::dialects::fixtures::order, domain::order::Side};

    fn signature(symbol: &str, side: Side, [volume, price, sl, tp]: [f64; 4]) -> String {
        let order = Order { gateway_name: symbol.into(), side, volume, stop_loss: sl, take_profit: tp, ..order() };
        sign(&order, price, Duration::from_millis(1_795_354_237_900))
    }

    #[test]
    fn the_published_example_signs_as_published() {
        let signed = signature("EURUSD", Side::Buy, [0.1, 0.0, 1.05, 1.06]);
        assert_eq!(signed, "RISK_PASS:7f7629d3:20261122T133037Z");
    }

    #[test]
    fn floats_are_spelled_as_python_spells_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1.0, "1.0"),
            (100.0, "100.0"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (1e-5, "1e-05"),
            (9.999999999999999e-5, "9.999999999999999e-05"),
            (1.5e-10, "1.5e-10"),
            (1e16, "1e+16"),
            (-1.25e16, "-1.25e+16"),
            (1e22, "1e+22"),
            (1e-300, "1e-300"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1_234_567_890_123_456.0, "1234567890123456.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (2.0 / 3.0, "0.6666666666666666"),
        ] {
            assert_eq!(python_float(number), text);
        }
    }

    #[test]
    fn strings_are_escaped_as_python_escapes_them() {
        assert_eq!(python_string("EURUSD.m#"), r#""EURUSD.m#""#);
        assert_eq!(python_string("a\"\\\n\u{7f}\u{1}é\u{1f600}"), r#""a\"\\\n\u007f\u0001\u00e9\ud83d\ude00""#);
    }

    #[test]
    fn checksums_are_those_of_python() {
        for (symbol, side, numbers, checksum) in [
            ("XAUUSD.", Side::Buy, [0.5358820043066892, 0.0, 1.44594, 1e-05], "b4ae1fe8"),
            ("💰", Side::Buy, [0.0, 0.3141471703767915, 1.54849, 0.11806577825496212], "e2d0f29a"),
            ("XAUUSD.", Side::Buy, [4.6531497776229976e16, 419895.0, 0.0, 0.0], "144956be"),
            ("EUR/USD#", Side::Buy, [19228281.288705416, 0.10218761674816845, 389401967207208.44, 0.0], "6ca3cb74"),
            ("EUR/USD#", Side::Sell, [814226.0, 1.41283, 1e18, 1e-06], "3b8e5a75"),
            ("EURUSD", Side::Buy, [190.59, 153.66, 0.0, 12108.0], "26e0bbe5"),
            ("XAUUSD.", Side::Sell, [104.321, 0.80265, 0.90578, 1e16], "5e580ede"),
            ("💰", Side::Buy, [0.07011153361398992, 1e-08, 502279.0, 0.00016197745561424056], "ac687dcd"),
            ("Gold é", Side::Buy, [1.62123, 189.771, 0.41618119436472756, 0.0], "ef8094a7"),
            ("XAUUSD.", Side::Sell, [0.0, 261436.0, 131.56, 6.756580655609184e-07], "91c4f25d"),
            ("EURUSD.£", Side::Buy, [0.1, 0.0, 1.05, 1.06], "975956cd"),
            ("US Tech 100", Side::Sell, [0.01, 0.0, 19000.5, 0.0], "e650d64d"),
            ("@EU6", Side::Buy, [1.0, 0.0, 0.0, 0.0], "ac61d084"),
            ("Größe ü+日経", Side::Sell, [0.1, 0.0, 1.2, 1.1], "fbcbfd67"),
            ("EUR/USD#", Side::Sell, [496258.0, 1e21, 735056.0, 0.00010109283198296195], "d1350616"),
        ] {
            let signed = signature(symbol, side, numbers);
            assert_eq!(signed, format!("RISK_PASS:{checksum}:20261122T133037Z"), "{symbol} {numbers:?}");
        }
    }
}
