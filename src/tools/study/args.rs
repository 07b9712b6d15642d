//! The flags of `sentinel study`, and what they say together with the settings.

use super::{
    engine::{
        market::Terms,
        trades::{OppositeRule, Policy},
    },
    inputs::{BarSource, OddsSource},
    pricing::Pricing,
};
use crate::{
    bar_files::{Zone, symbol_of},
    net::{NOT_A_URL, Origin},
    settings::{
        Problem, Resolved, ResolvedSymbol, Settings, SettingsArgs, SettingsError, Sources, StudyLabel, VerifyModel,
        studies_path,
    },
};
use chrono::{NaiveDate, NaiveTime};
use sentinel_actors::domain::instrument::Instrument;
use std::{ops::Range, path::PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File of bars: CSV, EODHD's JSON or MetaTrader's export, named after the symbol. Without bars, the closes
    /// recorded with the odds are used, and stops are not simulated
    #[arg(long, value_name = "FILE")]
    bars: Option<PathBuf>,
    /// Bars of the daemon's archive [default path: as in the settings]
    #[arg(long, value_name = "PATH", num_args = 0..=1, conflicts_with = "bars")]
    archive: Option<Option<PathBuf>>,
    /// Time zone of MetaTrader's export: America/New_York+7 is New York time plus 7 hours
    #[arg(long, value_name = "ZONE", requires = "bars", value_parser = str::parse::<Zone>)]
    time_zone: Option<Zone>,
    /// Source of the odds: `recorded` (from the journal), `configured` (ask the configured model server), or the URL of another
    /// server
    #[arg(long, value_name = "recorded|configured|URL", default_value = "recorded", conflicts_with = "odds")]
    model: String,
    /// Odds from a CSV file with the columns symbol,bar_close_time,p_sell,p_hold,p_buy
    #[arg(long, value_name = "FILE")]
    odds: Option<PathBuf>,
    /// First day, UTC: bars that close on it or later
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// Day before which the last bar closes, UTC
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,
    /// Folder for study.json and study.html; those of an earlier study in it are replaced
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// The file that counts the studies of the same bars [default: studies.db in the state directory]
    #[arg(long, value_name = "FILE")]
    studies: Option<PathBuf>,
    /// Charge nothing; every plot says so, and no advice is given
    #[arg(long)]
    frictionless: bool,
    /// Ask minus bid in points; a point is one of the last decimal place of a price (study.spread_points)
    #[arg(long, value_name = "POINTS", conflicts_with = "frictionless")]
    spread_points: Option<String>,
    /// Close a position this many bars after the bar of its decision (study.horizon_bars)
    #[arg(long, value_name = "BARS")]
    horizon_bars: Option<String>,
    /// The last day that the model was trained on, or a moment (model.trained_until)
    #[arg(long, value_name = "DATE")]
    trained_until: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// What is to be done.
pub(super) struct Task {
    /// All settings.
    pub settings: Resolved<VerifyModel>,
    /// The one symbol.
    pub instrument: Instrument,
    /// Bars.
    pub bars: BarSource,
    /// Odds.
    pub odds: OddsSource,
    /// Closes of bars, unix seconds, the last not included.
    pub range: Range<i64>,
    /// Unix seconds.
    pub trained_until: Option<i64>,
    /// How fills are made.
    pub terms: Terms,
    /// What they are made by.
    pub pricing: Pricing,
    /// Which signals become trades.
    pub policy: Policy,
    /// Where studies are counted.
    pub studies: PathBuf,
}

impl Args {
    /// # Errors
    /// Settings that are missing or out of range, by their keys.
    pub(super) fn task(&self) -> Result<Task, SettingsError> {
        let mut sources = self.settings.beside();
        self.add_flags(&mut sources)?;
        if let (None, Some(file)) = (&sources.symbols, &self.bars) {
            sources.symbols = Some(vec![symbol_of(file)]);
        }
        let settings: Resolved<VerifyModel> = Settings::load_for(&sources)?;
        let [ResolvedSymbol { instrument, table, are_digits_set }] = &*settings.symbols else {
            let names: Vec<_> = settings.instruments().map(|it| it.symbol.as_str()).collect();
            return Err(problem("--symbol", format!("one symbol a study, of {}", names.join(", "))));
        };
        let (instrument, mut symbol, are_digits_set) = (instrument.clone(), table.clone(), *are_digits_set);
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp();
        let range = self.from.map_or(i64::MIN, midnight)..self.to.map_or(i64::MAX, midnight);
        if range.start >= range.end {
            return Err(problem("--from", "is not before --to"));
        }
        let bars = match (&self.bars, &self.archive) {
            (Some(path), _) => BarSource::File(path.clone(), self.time_zone.clone()),
            (None, Some(Some(path))) => BarSource::Archive(path.clone()),
            (None, Some(None)) => {
                let archive = settings.archive.as_ref().ok_or_else(|| {
                    problem("--archive", "the settings have none (archive.enabled): name its path, --archive PATH")
                })?;
                BarSource::Archive(archive.path.clone())
            }
            (None, None) => BarSource::Recorded,
        };
        let has_bars = !matches!(bars, BarSource::Recorded);
        let odds = self.odds_source(&settings);
        let is_recorded = matches!(odds, OddsSource::Journal(_));
        if !has_bars && !is_recorded {
            return Err(problem("--bars", "is missing, or --archive: only odds of a journal bring their closes along"));
        }
        if self.spread_points.is_some() {
            // The flag is for this symbol.
            symbol.spread_points = None;
        }
        let pricing = Pricing { symbol, are_digits_set, has_bars, is_frictionless: self.frictionless };
        let terms = pricing.terms(&settings.study, &instrument)?;
        let has_stops = terms.exits.stop_loss.is_some() && terms.exits.take_profit.is_some();
        if settings.study.label == StudyLabel::TripleBarrier {
            if !has_stops {
                let what = "\"triple_barrier\" takes trading.stop_loss and trading.take_profit of this symbol";
                return Err(problem("study.label", what));
            }
            if matches!(bars, BarSource::Recorded) {
                return Err(problem(
                    "study.label",
                    "\"triple_barrier\" takes --bars: closes alone have no highs and lows",
                ));
            }
        }
        let policy = Policy {
            positions_max: settings.guards.positions_max,
            opposite: OppositeRule::of(settings.guards.opposite, settings.gateway.account_mode),
        };
        let trained_until = settings.model.trained_until().map_err(|what| problem("model.trained_until", what))?;
        let studies = || studies_path(settings.journal.state_directory.as_deref());
        let studies = self.studies.clone().unwrap_or_else(studies);
        Ok(Task { instrument, bars, odds, range, trained_until, terms, pricing, policy, studies, settings })
    }

    fn add_flags(&self, sources: &mut Sources) -> Result<(), SettingsError> {
        let flags = [
            ("study.spread_points", &self.spread_points),
            ("study.horizon_bars", &self.horizon_bars),
            ("model.trained_until", &self.trained_until),
        ];
        sources.flags.extend(flags.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
        if !self.is_asked() || self.model == "configured" {
            return Ok(());
        }
        let origin = Origin::of(&self.model).ok_or_else(|| problem("--model", NOT_A_URL))?;
        sources.flags.push(("model.scheme", origin.scheme.into()));
        sources.flags.push(("model.host", origin.host));
        sources.flags.push(("model.port", origin.port.to_string()));
        Ok(())
    }

    fn is_asked(&self) -> bool {
        self.odds.is_none() && self.model != "recorded"
    }

    fn odds_source(&self, settings: &Resolved<VerifyModel>) -> OddsSource {
        if let Some(path) = &self.odds {
            return OddsSource::File(path.clone());
        }
        if self.is_asked() {
            // Beside the folder, whose files each study replaces.
            let name = self.out.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return OddsSource::Model(self.out.with_file_name(format!("{name}.odds")));
        }
        OddsSource::Journal(settings.journal.path.clone())
    }
}

fn problem(key: &str, message: impl Into<String>) -> SettingsError {
    Problem { key: key.into(), message: message.into() }.into()
}
