//! The SignalSender on a journal that fails.

use super::{scripted_gateway::Gateway, tests::*, *};
use crate::{
    domain::{
        exposure::Fill,
        journal::{History, JournalError, Stock},
    },
    messages::{NoteEquity, ReadFills, ReadHistory, TakeStock, WriteSteps},
};

/// A journal that fails every write after the first few.
struct Failing {
    writes_left: usize,
}

impl Actor for Failing {
    type Context = Context<Self>;
}

impl Handler<TakeStock> for Failing {
    type Result = Result<Stock, JournalError>;

    fn handle(&mut self, _: TakeStock, _: &mut Self::Context) -> Self::Result {
        Ok(Stock::default())
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

impl Handler<NoteEquity> for Failing {
    type Result = Result<f64, JournalError>;

    fn handle(&mut self, NoteEquity(equity): NoteEquity, _: &mut Self::Context) -> Self::Result {
        Ok(equity)
    }
}

impl Handler<WriteSteps> for Failing {
    type Result = Result<(), JournalError>;

    fn handle(&mut self, _: WriteSteps, _: &mut Self::Context) -> Self::Result {
        self.writes_left = self.writes_left.checked_sub(1).ok_or(JournalError::Failed("disk full".into()))?;
        Ok(())
    }
}

#[actix::test]
async fn nothing_is_sent_without_its_intent_and_its_sending_on_disk() {
    for (writes_left, first, received) in [(0, "journal", 0), (1, "filled", 1)] {
        let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
        let journal = Failing { writes_left }.start();
        let ledger = JournalLedger {
            stock: journal.clone().recipient(),
            history: journal.clone().recipient(),
            fills: journal.clone().recipient(),
            equity: journal.clone().recipient(),
            write: journal.recipient(),
        };
        let mut running = V43.start(&gateway.address);
        let shared = (&running.shutdown, &running.inflight, &running.metrics, &running.halted);
        let config = V43.config(&gateway.address, shared, ledger);
        running.sender = SignalSender::new(config).start();
        let results = running.cycle(1, &["EURUSD", "GBPUSD"], BAR).await;
        assert_eq!(texts(&results), [first, "journal"], "{writes_left} writes");
        assert_eq!(gateway.received().len(), received);
    }
}
