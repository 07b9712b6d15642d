//! From a value to a coordinate, and the round values that an axis is marked with.

/// One axis of a plot.
#[derive(Debug, Clone, Copy)]
pub(in crate::tools) struct Axis {
    /// The value at [`Self::low`].
    pub(in crate::tools) from: f64,
    /// The value at [`Self::high`].
    pub(in crate::tools) to: f64,
    /// Coordinate of the left or the bottom.
    pub(in crate::tools) low: f64,
    /// Coordinate of the right or the top.
    pub(in crate::tools) high: f64,
}

impl Axis {
    /// Widened to round values, about `wanted` of them, and their marks, including both ends. `from` is below `to`.
    pub(in crate::tools) fn rounded(self, wanted: f64) -> (Self, Vec<f64>) {
        let step = round_step((self.to - self.from) / wanted);
        let from = (self.from / step + 1e-9).floor() * step;
        let to = (self.to / step - 1e-9).ceil() * step;
        let axis = Self { from, to, ..self };
        let marks = axis.ticks((to - from) / step);
        (axis, marks)
    }

    /// The coordinate of a value.
    pub(in crate::tools) fn at(&self, value: f64) -> f64 {
        self.low + (self.high - self.low) * (value - self.from) / (self.to - self.from)
    }

    /// The coordinate of a value, or of the end that it is beyond.
    pub(in crate::tools) fn within(&self, value: f64) -> f64 {
        self.at(value.clamp(self.from, self.to))
    }

    /// Round values between the ends, 1, 2 or 5 times a power of ten apart.
    pub(in crate::tools) fn ticks(&self, wanted: f64) -> Vec<f64> {
        let step = round_step((self.to - self.from) / wanted);
        let (first, last) = ((self.from / step - 1e-9).ceil(), (self.to / step + 1e-9).floor());
        (0..=(last - first) as usize).map(|index| (first + index as f64) * step).collect()
    }
}

fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= least * 0.999).unwrap_or(10.0 * power)
}

/// Where marks are written in thousands: five digits and a sign take too much room beside a plot.
const THOUSANDS_FROM: f64 = 10_000.0;

/// Marks with as many decimals as it takes to tell them apart: 1.0850 beside 1.0875; 20k beside 25k.
pub(in crate::tools) fn fixed(marks: &[f64]) -> Vec<(f64, String)> {
    let is_large = marks.iter().any(|mark| mark.abs() >= THOUSANDS_FROM);
    let (unit, suffix) = if is_large { (1_000.0, "k") } else { (1.0, "") };
    let step = marks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min) / unit;
    let decimals = if step.is_finite() && step > 0.0 { (-(step * 1.001).log10().floor()).clamp(0.0, 9.0) } else { 0.0 };
    let text = |mark: f64| match format!("{:.*}", decimals as usize, mark / unit) {
        zero if mark == 0.0 => zero.trim_start_matches('-').to_owned(),
        some => some + suffix,
    };
    marks.iter().map(|mark| (*mark, text(*mark))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_marks() {
        let axis = |from, to| Axis { from, to, low: 0.0, high: 1.0 };
        assert_eq!(axis(0.0, 10.0).ticks(5.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(axis(0.0, 0.3).ticks(3.0).len(), 4);
        assert_eq!(round_step(0.03), 0.05);
        assert_eq!(round_step(7.0), 10.0);
        assert_eq!(axis(-7.0, 13.0).rounded(4.0).1, [-10.0, -5.0, 0.0, 5.0, 10.0, 15.0]);
    }

    #[test]
    fn marks_have_the_decimals_that_tell_them_apart() {
        let labels = |marks: &[f64]| fixed(marks).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(&[1.085, 1.0855, 1.086]), ["1.0850", "1.0855", "1.0860"]);
        assert_eq!(labels(&[150.2, 150.4]), ["150.2", "150.4"]);
        assert_eq!(labels(&[-0.0, 20.0]), ["0", "20"]);
        assert_eq!(labels(&[-5_000.0, 0.0, 5_000.0, 10_000.0]), ["-5k", "0", "5k", "10k"]);
        assert_eq!(labels(&[20_000.0, 20_500.0]), ["20.0k", "20.5k"]);
        assert_eq!((labels(&[3.0]), labels(&[])), (vec!["3".to_owned()], Vec::new()));
    }

    #[test]
    fn a_value_beyond_an_end_is_drawn_at_it() {
        let axis = Axis { from: 0.0, to: 10.0, low: 100.0, high: 0.0 };
        assert_eq!([-5.0, 2.5, 99.0].map(|value| axis.within(value)), [100.0, 75.0, 0.0]);
    }
}
