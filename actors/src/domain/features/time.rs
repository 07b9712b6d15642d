//! `hour`, `day_of_week`: the time at which the bar opened. pandas: `dt.hour`, `dt.dayofweek`.

use super::{SEQUENCE_BARS, rolling::Column};
use crate::domain::bar::Bar;
use serde::{Deserialize, Serialize};

const SECONDS_PER_DAY: i64 = 86_400;
/// 1970-01-01 was a Thursday, which is 3 if Monday is 0.
const EPOCH_WEEKDAY: i64 = 3;

/// The content of the columns `hour` and `day_of_week`; `features.hour_and_weekday`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeColumns {
    /// The bar's own hour 0..=23 and weekday, Monday 0 to Sunday 6, in UTC.
    Utc,
    /// Always 0 and 3, as in the old daemon, which read unix seconds as nanoseconds. For models that were trained with that.
    Legacy,
}

/// Both columns, for the rows of the sequence.
pub fn hour_and_day_of_week(bars: &[Bar], time_columns: TimeColumns) -> [Column; 2] {
    match time_columns {
        TimeColumns::Legacy => [[0.0; SEQUENCE_BARS], [EPOCH_WEEKDAY as f64; SEQUENCE_BARS]],
        TimeColumns::Utc => [
            std::array::from_fn(|row| (bars[row].open_time.rem_euclid(SECONDS_PER_DAY) / 3_600) as f64),
            std::array::from_fn(|row| {
                let days = bars[row].open_time.div_euclid(SECONDS_PER_DAY);
                (days + EPOCH_WEEKDAY).rem_euclid(7) as f64
            }),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_start_on_monday_even_before_the_epoch() {
        let at = |open_time| Bar { open_time, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 0.0 };
        let rows =
            |open_time| hour_and_day_of_week(&[at(open_time); SEQUENCE_BARS], TimeColumns::Utc).map(|column| column[0]);
        assert_eq!(rows(1_709_510_400), [0.0, 0.0], "2024-03-04 was a Monday");
        assert_eq!(rows(1_709_506_800), [23.0, 6.0], "the hour before was a Sunday");
        assert_eq!(rows(-1), [23.0, 2.0]);
    }
}
