//! The account on paper beside the Journal: it gets each cycle's windows and signals when the decisions are recorded, which is after
//! the cycle's live orders, and changes with them in one write. Its faults cost a live order nothing: they are said once and
//! counted, and the next cycle reads the account again.

use super::Journal;
use crate::{
    adapters::journal::PaperAnswer,
    domain::{
        bar::Bar,
        fill::Costs,
        guard::{Limits, Suppression},
        instrument::{Instrument, Symbol},
        journal::{DecisionRecord, JournalError},
        money::Money,
        names::{ActorName, DropReason},
        paper::{PaperOrderManager, PaperRules, PaperSignal, PaperTerms},
        profit::{PaperFigures, cents},
        side::Side,
    },
    messages::Event,
};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tracing::{error, info, warn};

const DAY_S: u64 = 86_400;

/// What the account on paper needs to know.
#[derive(Debug, Clone)]
pub struct PaperConfig {
    /// What is traded, and what is charged for it: nothing if the costs are not known.
    pub instruments: Vec<(Instrument, Option<Costs>)>,
    /// The limits of live orders.
    pub limits: Limits,
    /// How fills are made.
    pub terms: PaperTerms,
    /// How points become money.
    pub money: Arc<Money>,
}

/// A trade that has ended since, or was priced.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ended {
    /// Its symbol.
    pub(super) symbol: Symbol,
    /// In the account's currency; `None`: not known.
    pub(super) profit: Option<f64>,
    /// When its end was noticed, wall clock since the unix epoch.
    pub(super) at: Duration,
}

/// The account, between cycles.
#[derive(Debug, Default)]
pub(super) struct Paper {
    /// `None` before the first cycle and after a fault.
    pub(super) manager: Option<PaperOrderManager>,
    /// What the metrics know of it.
    figures: Option<PaperFigures>,
    /// Whether the last fault was said.
    is_said: bool,
    /// Whether it was said that trades of other symbols have ended.
    is_giving_up_said: bool,
}

impl Journal {
    /// Does something with the account. A panic in it costs no decision and no order: the account is read again in the next
    /// cycle.
    pub(super) fn apart<T>(&mut self, work: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        done.unwrap_or_else(|_| {
            (self.paper.manager, self.paper.figures) = (None, None);
            self.paper_failed("it panicked; see the line before");
            None
        })
    }

    /// The account; read from the journal if it is not known. `None` if there is none, or it cannot be read.
    fn take_manager(&mut self, now: Duration) -> Option<PaperOrderManager> {
        let paper = self.config.paper.clone()?;
        if let Some(manager) = self.paper.manager.take() {
            return Some(manager);
        }
        let (account, model) = (self.config.identity.account.clone(), self.config.identity.model.clone());
        // A journal that cannot be opened is the write's fault, which comes next and says so.
        let read = self.store().ok()?.paper_book(&account, &model, now);
        let (book, history) = read.map_err(|error| self.paper_failed(&error.to_string())).ok()?;
        let (terms, money) = (paper.terms, paper.money.clone());
        let rules = PaperRules { limits: paper.limits, terms, money, account, model };
        let instruments: Vec<_> = paper.instruments.iter().map(|(instrument, _)| instrument.clone()).collect();
        let mut manager = PaperOrderManager::new(rules, &instruments, book, history);
        let given_up: BTreeSet<_> = manager.give_up(&instruments, now).iter().map(Symbol::to_string).collect();
        if !given_up.is_empty() && !std::mem::replace(&mut self.paper.is_giving_up_said, true) {
            let symbols = given_up.into_iter().collect::<Vec<_>>().join(", ");
            warn!(
                stage = "journal",
                "paper account: positions in symbols that are no longer configured were closed without a result: {symbols}"
            );
        }
        Some(manager)
    }

    /// Takes a cycle to the account, and answers it with what it did about each decision. The account is given away until it is
    /// [put back](Self::put_back): if the write fails, it is read again from what the journal has. `None` if there is none, or it
    /// cannot be used now.
    pub(super) fn on_paper(
        &mut self,
        records: &[DecisionRecord],
        at: Duration,
    ) -> Option<(PaperOrderManager, Vec<PaperAnswer>)> {
        self.apart(|journal| {
            let mut manager = journal.take_manager(at)?;
            let config = &journal.config;
            let paper = config.paper.as_ref()?;
            let close_time = |bar: &Bar| bar.close_time(config.horizons.interval, &config.horizons.calendar);
            let windows = records.iter().filter_map(|record| Some((&record.symbol, record.window.as_deref()?)));
            manager.advance(windows, close_time, at);
            let signals = records.iter().enumerate().map(|(place, record)| signal(record, (&paper.instruments, place)));
            let signals: Vec<_> = signals.collect();
            if signals.iter().any(|signal| matches!(signal, Some(Ok(_)))) {
                manager.begin(at);
            }
            let answer = |signal: &Option<Result<PaperSignal<'_>, _>>| match signal.as_ref()? {
                Ok(signal) => Some(manager.place(signal, at)),
                Err(rule) => Some(Err(*rule)),
            };
            let answers = signals.iter().map(answer).collect();
            Some((manager, answers))
        })
    }

    /// After the write: the account goes on as it is, or is read again if `fault` says that it is not in the journal.
    pub(super) fn put_back(&mut self, manager: Option<PaperOrderManager>, fault: Option<&JournalError>) {
        self.apart(|journal| {
            match (manager, fault) {
                (Some(mut manager), None) => {
                    manager.kept();
                    if std::mem::take(&mut journal.paper.is_said) {
                        info!(stage = "journal", "the account on paper works again");
                    }
                    journal.paper.manager = Some(manager);
                }
                (_, Some(error)) => journal.paper_failed(&error.to_string()),
                (None, None) => {}
            }
            Some(())
        });
    }

    /// Tells the metrics what it earned, if that has changed. `at`: when that was written, wall clock since the unix epoch.
    pub(super) fn count_paper(&mut self, ended: &[Ended], at: Duration) {
        self.apart(|journal| {
            let manager = journal.paper.manager.as_ref()?;
            let by_symbol = |(symbol, profit): (Symbol, Option<f64>)| (symbol.as_str().to_owned(), profit.map(cents));
            let open: Vec<_> = manager.open_profit().into_iter().map(by_symbol).collect();
            let day = i64::try_from(at.as_secs() / DAY_S).unwrap_or(i64::MAX);
            let before = journal.paper.figures.take();
            // What is known goes on: the journal has many trades. A trade that ended earlier and was priced now may be of the
            // day before, or is in the sum without its profit: then all is counted anew.
            let are_new = ended.iter().all(|it| it.at == at);
            let known = before.clone().filter(|known| known.day == day && are_new);
            let known = known
                .and_then(|known| ended.iter().try_fold(known, |sums, it| sums.with(it.symbol.as_str(), it.profit)));
            let account = journal.config.identity.account.clone();
            let counted = match known {
                Some(known) => Ok(known),
                None => journal.store().and_then(|store| store.paper_figures(&account, at)),
            };
            match counted {
                Ok(counted) => {
                    let figures = PaperFigures { open: Some(open), ..counted };
                    if before.as_ref() != Some(&figures) {
                        journal.config.metrics.report(Event::PaperCounted(Box::new(figures.clone())));
                    }
                    journal.paper.figures = Some(figures);
                }
                Err(error) => journal.paper_failed(&error.to_string()),
            }
            Some(())
        });
    }

    fn paper_failed(&mut self, why: &str) {
        self.config.metrics.dropped(ActorName::Journal, DropReason::Invalid, 1);
        if !std::mem::replace(&mut self.paper.is_said, true) {
            error!(
                stage = "journal",
                error = "paper",
                "the account on paper: {why}. It is tried again in every cycle; live orders do not depend on it"
            );
        }
    }
}

/// The signal of a decision, or the rule that stopped it before any order; `None` for a HOLD and without a decision.
fn signal<'a>(
    record: &'a DecisionRecord,
    (instruments, place): (&'a [(Instrument, Option<Costs>)], usize),
) -> Option<Result<PaperSignal<'a>, Suppression>> {
    let side = Side::from_action(record.action?)?;
    if let Some(rule) = record.stopped {
        return Some(Err(rule));
    }
    // Records come in the order of the settings, and so are nearly always found at once.
    let is_its = |(instrument, _): &&(Instrument, _)| instrument.symbol == record.symbol;
    let (instrument, costs) = instruments.get(place).filter(is_its).or_else(|| instruments.iter().find(is_its))?;
    let (_, confidence) = record.prediction?.likeliest();
    let (bar, bar_close_time) = (record.window.as_deref()?.last()?, record.bar_close_time?);
    Some(Ok(PaperSignal { instrument, side, confidence, bar, bar_close_time, costs: *costs }))
}
