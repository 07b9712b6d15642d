//! What ends a running daemon from inside: an actor that can never answer again, and what the Scheduler says.

use super::shutdown::Ended;
use actix::Recipient;
use sentinel_actors::{
    domain::names::ActorName,
    messages::{Event, Ping, Telemetry},
    scheduler::Notice,
};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// How often the actors are asked whether they still answer, and how long each may take.
const PING_PERIOD: Duration = Duration::from_secs(1);

/// Pings every actor again and again; ends with the name of one that can never answer again.
pub(super) async fn watch_actors(actors: &[(ActorName, Recipient<Ping>)], metrics: &Telemetry) -> &'static str {
    loop {
        let mut answers = Vec::with_capacity(actors.len());
        for (name, actor) in actors {
            let answered = matches!(tokio::time::timeout(PING_PERIOD, actor.send(Ping)).await, Ok(Ok(())));
            if !answered && !actor.connected() {
                return name.as_str();
            }
            answers.push((*name, answered));
        }
        metrics.report(Event::ActorsPinged(answers));
        tokio::time::sleep(PING_PERIOD).await;
    }
}

/// What the Scheduler says that ends the daemon.
pub(super) async fn wait_for_end(
    notices: &mut UnboundedReceiver<Notice>,
    once: bool,
    caught_up: &mut impl FnMut(),
) -> Ended {
    loop {
        match notices.recv().await {
            Some(Notice::CaughtUp) => caught_up(),
            Some(Notice::CyclesEnded { failed, degraded }) if once => {
                // Whether the journal has it is known once it is closed.
                return Ended::Once { failed: failed > 0, degraded: degraded > 0, is_recorded: true };
            }
            Some(Notice::CyclesEnded { .. }) => {
                tracing::info!("all cycles ran; serving on");
                caught_up();
            }
            Some(Notice::StageGone(actor)) => return Ended::StageGone(actor.as_str()),
            None => return Ended::StageGone(ActorName::Scheduler.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix::{Actor, Context, Handler};
    use tokio::sync::mpsc::unbounded_channel;

    struct Stage {
        panics: bool,
    }

    impl Actor for Stage {
        type Context = Context<Self>;
    }

    impl Handler<Ping> for Stage {
        type Result = ();

        fn handle(&mut self, _: Ping, _: &mut Self::Context) {
            assert!(!self.panics, "as scripted");
        }
    }

    struct Ears(tokio::sync::mpsc::UnboundedSender<Event>);

    impl Actor for Ears {
        type Context = Context<Self>;
    }

    impl Handler<Event> for Ears {
        type Result = ();

        fn handle(&mut self, event: Event, _: &mut Self::Context) {
            self.0.send(event).unwrap();
        }
    }

    #[actix_rt::test]
    async fn an_actor_that_can_never_answer_again_ends_the_watch() {
        let (said, mut heard) = unbounded_channel();
        let metrics = Ears(said).start().recipient().into();
        let well = Stage { panics: false }.start();
        let only_well = vec![(ActorName::Fetcher, well.clone().recipient())];
        let watching = tokio::time::timeout(Duration::from_millis(200), watch_actors(&only_well, &metrics)).await;
        assert!(watching.is_err(), "as long as everyone answers it goes on");
        assert!(
            matches!(heard.recv().await, Some(Event::ActorsPinged(answers)) if answers == [(ActorName::Fetcher, true)])
        );
        for name in [ActorName::Predictor, ActorName::Metrics] {
            let ill = Stage { panics: true }.start();
            let with_ill = vec![(ActorName::Fetcher, well.clone().recipient()), (name, ill.recipient())];
            let gone = tokio::time::timeout(Duration::from_secs(5), watch_actors(&with_ill, &metrics)).await;
            assert_eq!(gone, Ok(name.as_str()));
        }
    }

    #[actix_rt::test]
    async fn what_the_scheduler_says_ends_the_daemon_or_not() {
        let (notify, mut notices) = unbounded_channel();
        for (failed, degraded) in [(1, 0), (0, 1), (0, 0)] {
            notify.send(Notice::CyclesEnded { failed, degraded }).unwrap();
            let ended = Ended::Once { failed: failed > 0, degraded: degraded > 0, is_recorded: true };
            assert_eq!(wait_for_end(&mut notices, true, &mut || ()).await, ended);
        }
        notify.send(Notice::CyclesEnded { failed: 1, degraded: 0 }).unwrap();
        notify.send(Notice::CaughtUp).unwrap();
        notify.send(Notice::StageGone(ActorName::Fetcher)).unwrap();
        let mut told = 0;
        assert_eq!(wait_for_end(&mut notices, false, &mut || told += 1).await, Ended::StageGone("fetcher"));
        assert_eq!(told, 2, "the end of all cycles is the end of those without a pause");
    }
}
