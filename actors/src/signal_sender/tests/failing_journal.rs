//! The SignalSender with a journal that fails.

use super::*;
use crate::{
    domain::{
        exposure::Fill,
        journal::{History, JournalError, Standing},
    },
    messages::{NoteAccount, NoteEquity, ReadFills, ReadHistory, ReadOutcomes, ReadStanding, WriteSteps},
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A journal that fails every write after the first few.
struct Failing {
    writes_left: usize,
    /// How often its state was read.
    asked: Arc<AtomicUsize>,
}

impl Actor for Failing {
    type Context = Context<Self>;
}

impl Handler<ReadStanding> for Failing {
    type Result = Result<Standing, JournalError>;

    fn handle(&mut self, _: ReadStanding, _: &mut Self::Context) -> Self::Result {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(Standing::default())
    }
}

impl Handler<ReadHistory> for Failing {
    type Result = Result<History, JournalError>;

    fn handle(&mut self, _: ReadHistory, _: &mut Self::Context) -> Self::Result {
        Ok(History::default())
    }
}

impl Handler<ReadFills> for Failing {
    type Result = Result<Vec<Fill>, JournalError>;

    fn handle(&mut self, _: ReadFills, _: &mut Self::Context) -> Self::Result {
        Ok(Vec::new())
    }
}

impl Handler<ReadOutcomes> for Failing {
    type Result = Result<Vec<(Uuid, Outcome)>, JournalError>;

    fn handle(&mut self, _: ReadOutcomes, _: &mut Self::Context) -> Self::Result {
        Ok(Vec::new())
    }
}

impl Handler<NoteEquity> for Failing {
    type Result = Result<f64, JournalError>;

    fn handle(&mut self, NoteEquity(equity): NoteEquity, _: &mut Self::Context) -> Self::Result {
        Ok(equity)
    }
}

impl Handler<NoteAccount> for Failing {
    type Result = ();

    fn handle(&mut self, _: NoteAccount, _: &mut Self::Context) {}
}

impl Handler<WriteSteps> for Failing {
    type Result = Result<(), JournalError>;

    fn handle(&mut self, _: WriteSteps, _: &mut Self::Context) -> Self::Result {
        self.writes_left = self.writes_left.checked_sub(1).ok_or(JournalError::Failed("disk full".into()))?;
        Ok(())
    }
}

/// A SignalSender on such a journal.
fn start(live: bool, writes_left: usize, gateway: &Gateway) -> (Running, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    let journal = Failing { writes_left, asked: asked.clone() }.start();
    let order_journal = JournalActorHandle {
        standing: journal.clone().recipient(),
        history: journal.clone().recipient(),
        fills: journal.clone().recipient(),
        outcomes: journal.clone().recipient(),
        equity: journal.clone().recipient(),
        account: journal.clone().recipient(),
        write: journal.recipient(),
    };
    let setup = || Setup { live, ..V43 };
    let mut running = setup().start(&gateway.address);
    let shared = (&running.shutdown, &running.inflight, &running.metrics, &running.halted);
    let config = setup().config(&gateway.address, shared, order_journal);
    running.sender = SignalSender::new(config).unwrap().start();
    (running, asked)
}

#[actix::test]
async fn nothing_is_sent_without_its_intent_and_its_sending_on_disk() {
    for (writes_left, first, received) in [(0, "journal", 0), (1, "filled", 1)] {
        let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
        let (running, _) = start(true, writes_left, &gateway);
        let results = running.cycle(1, &["EURUSD", "GBPUSD"], BAR).await;
        assert_eq!(texts(&results), [first, "journal"], "{writes_left} writes");
        assert_eq!(gateway.received().len(), received);
    }
}

#[actix::test]
async fn what_was_asked_beside_the_model_is_not_asked_again_for_the_orders() {
    for (live, in_prepare, in_all) in [(true, 1, 2), (false, 0, 0)] {
        let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
        let (running, asked) = start(live, 9, &gateway);
        let opened = OpenGateway { cycle_id: 1, has_clock_stepped: false };
        running.sender.send(opened).await.unwrap();
        let before = asked.load(Ordering::Relaxed);
        running.sender.send(PrepareOrders).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed) - before, in_prepare, "live: {live}");
        let signals = || vec![buy("EURUSD", 1.1, BAR)];
        running.sender.send(SendSignals { cycle_id: 1, signals: signals() }).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed) - before, in_prepare, "live: {live}");
        running.sender.send(SendSignals { cycle_id: 1, signals: signals() }).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed) - before, in_all, "it serves once; live: {live}");
    }
}
