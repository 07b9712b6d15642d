//! Numbers and moments as a person reads them.

use chrono::DateTime;

/// Shown where something is not defined.
pub(super) const NOT_DEFINED: &str = "–";

/// Points with their sign: `+12.3`; without decimals from 1,000 on.
pub(super) fn points(value: f64) -> String {
    let decimals = if value.abs() < 999.95 { 1 } else { 0 };
    signed(value, decimals)
}

fn signed(value: f64, decimals: usize) -> String {
    let text = grouped(&format!("{:.decimals$}", value.abs()));
    let is_zero = text.chars().all(|digit| "0.,".contains(digit));
    let sign = match value {
        _ if is_zero => "",
        ..0.0 => "−",
        _ => "+",
    };
    format!("{sign}{text}")
}

/// `1,234,567`
pub(super) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// Commas between each three digits before the point.
fn grouped(text: &str) -> String {
    let whole = text.find('.').unwrap_or(text.len());
    let mut grouped = String::with_capacity(text.len() + whole / 3);
    for (at, digit) in text.char_indices() {
        if at > 0 && at < whole && (whole - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `53.4 %`
pub(super) fn share(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

/// Two decimals, as thresholds have them.
pub(super) fn odds(value: f64) -> String {
    minus(format!("{value:.2}"))
}

/// Three decimals; of a probability near an end as many as tell it from 0 or 1.
pub(super) fn ratio(value: f64) -> String {
    let text = format!("{value:.3}");
    match text.as_str() {
        "-0.000" => "0.000".to_owned(),
        "0.000" if value > 0.0 => "below 0.001".to_owned(),
        "1.000" if value < 1.0 => "above 0.999".to_owned(),
        _ => minus(text),
    }
}

/// With the sign that is as wide as a plus.
fn minus(text: String) -> String {
    text.replace('-', "−")
}

/// A value in a form, or [`NOT_DEFINED`].
pub(super) fn known<T>(value: Option<T>, form: impl Fn(T) -> String) -> String {
    value.map_or_else(|| NOT_DEFINED.to_owned(), form)
}

/// `0.4 to 1.2`
pub(super) fn interval(ends: [f64; 2], form: impl Fn(f64) -> String) -> String {
    let [low, high] = ends;
    format!("{} to {}", form(low), form(high))
}

/// `2026-11-28`, UTC.
pub(super) fn date(time: i64) -> String {
    moment(time, "%Y-%m-%d")
}

/// `2026-11-28 14:00`, UTC.
pub(super) fn minute(time: i64) -> String {
    moment(time, "%Y-%m-%d %H:%M")
}

fn moment(time: i64, form: &str) -> String {
    DateTime::from_timestamp(time, 0).map_or_else(|| time.to_string(), |moment| moment.format(form).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_a_sign_and_few_digits() {
        for (value, text) in [
            (12.34, "+12.3"),
            (-0.04, "0.0"),
            (0.0, "0.0"),
            (-1_234.56, "−1,235"),
            (999.96, "+1,000"),
            (9_999.96, "+10,000"),
            (-1_234_567.8, "−1,234,568"),
        ] {
            assert_eq!(points(value), text, "{value}");
        }
    }

    #[test]
    fn a_ratio_near_an_end_is_not_the_end() {
        let ratios = [0.0, 0.000_4, 0.95, 0.999_6, 1.0, -0.000_1, -1.5].map(ratio);
        assert_eq!(ratios, ["0.000", "below 0.001", "0.950", "above 0.999", "1.000", "0.000", "−1.500"]);
    }

    #[test]
    fn counts_and_moments_can_be_read() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((date(1_489_442_400), minute(1_489_442_400)), ("2017-03-13".into(), "2017-03-13 22:00".into()));
        assert_eq!((date(i64::MAX), known(None, share)), (i64::MAX.to_string(), "–".into()));
        assert_eq!(interval([0.4, 0.5], odds), "0.40 to 0.50");
    }
}
