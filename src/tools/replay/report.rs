//! What a replay found: numbers, the first difference, and what was not compared.

use super::{
    model::Answer,
    recompute::{Difference, LOST, Replayed},
    times::time_ms,
};
use sentinel_actors::{adapters::journal::ReplayRow, domain::guard::Suppression};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write as _, path::Path};

/// By which the model's odds may differ.
const SAME: f64 = 1e-9;
/// Exit code where bars or settings of decisions are lost.
const EXIT_LOST: u8 = 3;
/// Differences of the model that are listed.
const LISTED_MAX: usize = 20;
/// What is never compared.
const FROM_OUTSIDE: &str = "odds, open positions, equity, halts, breakers, outcomes of orders";

/// The result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    schema: u32,
    /// Decisions looked at.
    pub decisions: u64,
    /// Those that are equal in every field.
    pub equal: u64,
    /// Those with a field that differs.
    pub unequal: u64,
    /// Of the equal ones: those whose bars the archive got with a later cycle.
    pub archived_late: u64,
    /// Of the equal ones: those stopped for a reason that came from outside, by reason.
    pub stopped_from_outside: BTreeMap<&'static str, u64>,
    /// Decisions that cannot be made again, by reason.
    pub not_replayable: Vec<NotReplayable>,
    /// What was taken from the record, and not compared.
    taken_from_the_record: &'static str,
    /// The first field that differs.
    pub first_difference: Option<FirstDifference>,
    /// With `--ask-model`.
    pub model: Option<Asked>,
}

/// Why decisions cannot be made again, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotReplayable {
    /// Why.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
    /// Cycle of the first of them.
    first_cycle_id: i64,
    /// Its symbol.
    first_symbol: String,
}

/// A difference, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirstDifference {
    /// The cycle.
    pub cycle_id: i64,
    /// The symbol.
    pub symbol: String,
    /// The field.
    pub field: String,
    /// As the journal has it.
    pub recorded: String,
    /// As it is now.
    pub replayed: String,
}

/// How the model answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    url: String,
    /// Rows it was asked about.
    pub asked: u64,
    /// Rows whose odds were further from the recorded ones than 1e-9, or for which it has none now.
    pub different: u64,
    /// Of these: those for which it has none.
    pub without_odds: u64,
    /// The first of them.
    pub first: Vec<OtherOdds>,
    /// Why it was not asked about the rest.
    pub stopped: Option<String>,
}

/// Odds that are not the recorded ones; SELL, HOLD, BUY.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OtherOdds {
    cycle_id: i64,
    symbol: String,
    recorded: [f64; 3],
    /// `None` if it has none now.
    now: Option<[f64; 3]>,
    /// What it said instead.
    refusal: Option<String>,
}

impl Report {
    /// Before the first decision. `url`: of the model, if it is asked.
    pub(super) fn new(url: Option<String>) -> Self {
        Self {
            schema: 1,
            decisions: 0,
            equal: 0,
            unequal: 0,
            archived_late: 0,
            stopped_from_outside: BTreeMap::new(),
            not_replayable: Vec::new(),
            taken_from_the_record: FROM_OUTSIDE,
            first_difference: None,
            model: url.map(|url| Asked {
                url,
                asked: 0,
                different: 0,
                without_odds: 0,
                first: Vec::new(),
                stopped: None,
            }),
        }
    }

    /// Counts a decision.
    pub(super) fn count(&mut self, row: &ReplayRow, replayed: Replayed) {
        self.decisions += 1;
        match replayed {
            Replayed::Equal { is_late, outside, .. } => {
                self.equal += 1;
                self.archived_late += u64::from(is_late);
                if let Some(reason) = outside {
                    *self.stopped_from_outside.entry(Suppression::as_str(reason)).or_default() += 1;
                }
            }
            Replayed::Differs(Difference { field, recorded, replayed }) => {
                self.unequal += 1;
                self.first_difference.get_or_insert_with(|| FirstDifference {
                    cycle_id: row.cycle_id,
                    symbol: row.symbol.clone(),
                    field,
                    recorded,
                    replayed,
                });
            }
            Replayed::NotReplayable(reason) => match self.not_replayable.iter_mut().find(|it| it.reason == reason) {
                Some(known) => known.count += 1,
                None => self.not_replayable.push(NotReplayable {
                    reason,
                    count: 1,
                    first_cycle_id: row.cycle_id,
                    first_symbol: row.symbol.clone(),
                }),
            },
        }
    }

    /// Notes what the model answers now.
    pub(super) fn asked(&mut self, row: &ReplayRow, recorded: [f64; 3], answer: Answer) {
        let Some(model) = &mut self.model else { return };
        model.asked += 1;
        let (now, refusal) = match answer {
            Answer::Odds(now) => (Some(now), None),
            Answer::NoOdds(refusal) => (None, Some(refusal)),
        };
        let is_same = |now: [f64; 3]| recorded.iter().zip(now).all(|(recorded, now)| (recorded - now).abs() <= SAME);
        if now.is_some_and(is_same) {
            return;
        }
        model.different += 1;
        model.without_odds += u64::from(now.is_none());
        if model.first.len() < LISTED_MAX {
            let (cycle_id, symbol) = (row.cycle_id, row.symbol.clone());
            model.first.push(OtherOdds { cycle_id, symbol, recorded, now, refusal });
        }
    }

    /// Notes that the model is not asked any more, and why.
    pub(super) fn model_stopped(&mut self, why: String) {
        if let Some(model) = &mut self.model {
            model.stopped = Some(why);
        }
    }

    /// 0 if everything is equal, but for what is older than archive and recorded settings; 1 if something is not, if nothing
    /// could be made again, or if the model stopped answering; 3 if all that could be made again is equal, and bars or settings are lost.
    pub fn exit_code(&self) -> u8 {
        let is_other_model = self.model.as_ref().is_some_and(|model| model.different > 0 || model.stopped.is_some());
        if self.unequal > 0 || self.equal == 0 || is_other_model {
            return 1;
        }
        if self.lost() > 0 { EXIT_LOST } else { 0 }
    }

    /// Decisions that ought to be replayable, and are not.
    pub fn lost(&self) -> u64 {
        self.not_replayable.iter().filter(|it| LOST.contains(&it.reason)).map(|it| it.count).sum()
    }

    /// For a program.
    pub(super) fn json(&self) -> String {
        // Numbers and texts: writing them cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// For a person.
    pub(super) fn text(&self, journal: &Path, archive: &Path) -> String {
        let Self { decisions, equal, unequal, .. } = self;
        let (journal, archive) = (journal.display(), archive.display());
        let mut text = format!("{decisions} decisions of {journal}, on the bars of {archive}\n");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "equal            {equal}");
        if self.archived_late > 0 {
            let _ = writeln!(text, "                 {} of them archived with a later cycle", self.archived_late);
        }
        for (reason, count) in &self.stopped_from_outside {
            let _ = writeln!(text, "                 {count} of them stopped from outside: {reason}");
        }
        let _ = writeln!(text, "unequal          {unequal}");
        for NotReplayable { reason, count, first_cycle_id, first_symbol } in &self.not_replayable {
            let at = time_ms(*first_cycle_id);
            let _ = writeln!(text, "not replayable   {count}: {reason} (first: {first_symbol}, {at})");
        }
        let _ = writeln!(text, "from the record  {FROM_OUTSIDE}");
        if let Some(model) = &self.model {
            text += &model.text();
        }
        text.push('\n');
        text.push_str(&self.verdict());
        text
    }

    fn verdict(&self) -> String {
        match &self.first_difference {
            Some(FirstDifference { cycle_id, symbol, field, recorded, replayed }) => format!(
                "NOT EQUAL: {symbol}, cycle {cycle_id} ({}): {field} was {recorded}, and is {replayed} now",
                time_ms(*cycle_id)
            ),
            None if self.equal == 0 => "NOTHING REPLAYED: no decision could be made again".into(),
            None if self.exit_code() == 1 => self.model.as_ref().map_or_else(String::new, Asked::verdict),
            None if self.lost() > 0 => format!(
                "LOST: bars or settings of {} decisions; the other {} that could be made again are equal, bit for bit",
                self.lost(),
                self.equal
            ),
            None if self.equal < self.decisions => {
                let rest = self.decisions - self.equal;
                format!("EQUAL: {} decisions, bit for bit; {rest} could not be made again", self.equal)
            }
            None => format!("EQUAL: {} decisions, bit for bit", self.equal),
        }
    }
}

impl Asked {
    fn text(&self) -> String {
        let Self { url, asked, different, without_odds, first, stopped } = self;
        let of_them = if *without_odds > 0 { format!(", {without_odds} of them with none") } else { String::new() };
        let mut text = format!("model            {url}: {asked} rows asked, {different} with other odds{of_them}\n");
        for OtherOdds { cycle_id, symbol, recorded, now, refusal } in first {
            let now = now.map_or_else(|| "none".into(), |now| format!("{now:?}"));
            let said = refusal.as_ref().map_or_else(String::new, |refusal| format!(": {refusal}"));
            let at = time_ms(*cycle_id);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "                 {symbol} {at}: {recorded:?} was, {now} is{said}");
        }
        if let Some(why) = stopped {
            let _ = writeln!(text, "                 not asked about the rest: {why}");
        }
        text
    }

    fn verdict(&self) -> String {
        match &self.stopped {
            _ if self.different > 0 => "THE MODEL ANSWERS OTHERWISE: it was changed, or it is not deterministic".into(),
            Some(why) => format!("THE MODEL DOES NOT ANSWER: {} rows were asked, then {why}", self.asked),
            None => String::new(),
        }
    }
}
