//! Whether odds mean what they say: calibration by class, and what was likeliest against what was right.

use serde::{Deserialize, Serialize};

/// Whether odds mean what they say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Bars with odds and a label.
    pub count: u64,
    /// SELL, HOLD, BUY.
    pub classes: Vec<ClassCalibration>,
    /// Of all three classes: 0 is best, 2 is worst.
    pub brier: Option<f64>,
    /// Mean over decisions, natural logarithm.
    pub log_loss: Option<f64>,
    /// The same of a model that always says how frequent the classes are.
    pub log_loss_of_frequencies: Option<f64>,
}

/// One class against the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassCalibration {
    /// `SELL`, `HOLD` or `BUY`.
    pub class: String,
    /// How often it was right, 0 to 1.
    pub frequency: Option<f64>,
    /// Bins of about as many decisions each, by odds.
    pub bins: Vec<CalibrationBin>,
    /// Isotonic curve: odds and what they were worth, thinned.
    pub isotonic: Vec<[f64; 2]>,
    /// Brier score of this class.
    pub brier: Option<f64>,
    /// Its part that a better calibration would take away.
    pub reliability: Option<f64>,
    /// Its part that tells classes apart.
    pub resolution: Option<f64>,
    /// Its part that no model can take away.
    pub uncertainty: Option<f64>,
    /// Mean distance of odds from frequency, over the bins.
    pub ece: Option<f64>,
}

/// Decisions of about the same odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Lowest odds.
    pub from: f64,
    /// Highest odds.
    pub to: f64,
    /// Mean odds.
    pub predicted: f64,
    /// How often the class was right.
    pub observed: f64,
    /// Its 95 % bootstrap band.
    pub band: Option<[f64; 2]>,
    /// Decisions in it.
    pub count: u64,
}

/// Rows are what was right, columns what was likeliest; SELL, HOLD, BUY.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Decisions.
    pub counts: [[u64; 3]; 3],
    /// Share of a column that was right.
    pub precision: [Option<f64>; 3],
    /// Share of a row that was found.
    pub recall: [Option<f64>; 3],
}
