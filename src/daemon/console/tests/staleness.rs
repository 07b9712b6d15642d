//! What is old, and how the answers say so: the cycle that is due, and what the gateway reported.

use super::*;
use sentinel_actors::domain::schedule::Schedule;
use serde_json::Value;

impl World {
    async fn json(&self, path: &str) -> Value {
        let (status, _, body) = self.get(&format!("/console/api/{path}"), "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn tell(&self, event: Event) {
        self.metrics.send(event).await.unwrap();
    }
}

fn ms(since_epoch: Duration) -> u64 {
    u64::try_from(since_epoch.as_millis()).unwrap()
}

fn now_ms() -> i64 {
    i64::try_from(ms(SystemClock.now())).unwrap()
}

#[actix::test]
async fn the_next_cycle_is_due_by_the_schedule_also_after_a_break() {
    for text in ["58 * * * * *", "0 0 8-17 * * MON-FRI", "0 0 4 1 * *"] {
        let world = World::new(&Setup { schedule: text, ..Setup::default() });
        let schedule: Schedule = text.parse().unwrap();
        let now = SystemClock.now();
        let due = |from: Duration| Value::from(ms(schedule.next_after(from).unwrap()));
        assert_eq!(world.json("now").await["due_ms"], due(now), "{text}: from the start on");
        // Two weeks ago, so that its successor was due in the past, or still is not.
        for begun in [now - Duration::from_secs(14 * 86_400), now - Duration::from_secs(120)] {
            let ended = Event::CycleFinished {
                cycle_id: ms(begun),
                finished_at: begun.as_secs_f64(),
                duration: Duration::from_secs(1),
                failed: false,
            };
            world.tell(ended).await;
            assert_eq!(world.json("now").await["due_ms"], due(Duration::from_millis(ms(begun))), "{text}");
        }
    }
}

#[actix::test]
async fn a_clock_that_was_set_back_makes_no_cycle_due_late() {
    let world = World::new(&Setup::default());
    let now = SystemClock.now();
    let ahead = ms(now + Duration::from_secs(7_200));
    let ended =
        Event::CycleFinished { cycle_id: ahead, finished_at: 0.0, duration: Duration::from_secs(1), failed: false };
    world.tell(ended).await;
    let due = world.json("now").await["due_ms"].as_u64().unwrap();
    assert!(due <= ms(now) + 62_000, "{due}");
}

#[actix::test]
async fn open_profit_is_as_told_and_unknown_while_the_gateway_tells_nothing() {
    let world = World::new(&Setup { is_live: true, up: Duration::from_secs(3_600), ..Setup::default() });
    let journal = rusqlite::Connection::open(world.folder.path().join("journal.db")).unwrap();
    let list = r#"[{"ticket":1,"symbol":"EURUSDm","side":"BUY","volume":0.1,"profit":2.5}]"#;
    let insert = "INSERT INTO account_snapshots (at_ms, account, balance, equity, currency, positions)
                  VALUES (?2, '12345678', 100, 102.5, 'USD', ?1)";
    let (first, second) = (now_ms() - 120_000, now_ms() - 60_000);
    journal.execute(insert, (list, first)).unwrap();
    let live = async || world.json("now").await["today"]["live"].clone();
    let before = live().await;
    assert_eq!((&before["open"]["amount"], &before["seen_ms"]), (&2.5.into(), &first.into()), "as the journal has it");
    world.tell(Event::PositionsTold(Some(1))).await;
    assert_eq!(live().await["seen_ms"], first, "the rows are older than a look that is not in the journal yet");
    journal.execute("UPDATE account_snapshots SET account_ms = ?1, positions_ms = ?1", [second]).unwrap();
    let told = live().await;
    assert_eq!(
        (&told["open"]["amount"], &told["seen_ms"]),
        (&2.5.into(), &second.into()),
        "the last look, not the last change"
    );
    let silent: [(Event, &str); 3] = [
        (Event::GatewayChecked { trouble: Some("no reply".into()) }, "the gateway does not answer: no reply"),
        (Event::AccountPollFailed, "did not report account and positions"),
        (
            Event::PositionsChecked { trouble: Some("no list".into()), doubts: Vec::new() },
            "the gateway's list of positions cannot be read: no list",
        ),
    ];
    for (event, why) in silent {
        let told = live().await["seen_ms"].clone();
        world.tell(event).await;
        let (now, positions) = (live().await, world.json("positions").await);
        assert!(now["open"]["amount"].is_null() && now["open"]["why"].as_str().unwrap().contains(why), "{now}");
        assert!(positions["trouble"].as_str().unwrap().contains(why), "{positions}");
        assert_eq!((&positions["seen_ms"], &now["seen_ms"]), (&told, &told), "the rows are of that time");
        let (money, equity) = (world.json("money").await, world.json("equity").await);
        for trouble in [&money["account"]["trouble"], &equity["trouble"]] {
            assert!(trouble.as_str().unwrap().contains(why), "{trouble}");
        }
        world.tell(Event::PositionsTold(None)).await;
        assert!(live().await["open"]["amount"].is_null(), "an empty list that proves nothing tells nothing");
        world.tell(Event::PositionsTold(Some(1))).await;
        let (now, positions) = (live().await, world.json("positions").await);
        assert_eq!((&now["open"]["amount"], &positions["trouble"]), (&2.5.into(), &Value::Null), "{why}");
        assert_eq!(world.json("money").await["account"]["seen_ms"], now["seen_ms"]);
    }
}

#[actix::test]
async fn money_of_before_the_start_is_not_known() {
    let world = World::new(&Setup { is_live: true, ..Setup::default() });
    let journal = rusqlite::Connection::open(world.folder.path().join("journal.db")).unwrap();
    let insert = "INSERT INTO account_snapshots (at_ms, account, balance, equity, currency, positions)
                  VALUES (?1, '12345678', 100, 100, 'USD', '[]')";
    journal.execute(insert, [now_ms() - 10_000]).unwrap();
    let open = world.json("now").await["today"]["live"]["open"].clone();
    assert!(open["amount"].is_null() && open["why"].as_str().unwrap().contains("since Sentinel started"), "{open}");
    journal.execute("UPDATE account_snapshots SET positions_ms = ?1", [now_ms()]).unwrap();
    assert_eq!(world.json("now").await["today"]["live"]["open"]["amount"], 0.0);
}

#[actix::test]
async fn the_market_is_open_by_the_calendar_of_now() {
    let world = World::new(&Setup::default());
    let is_open = async || world.json("now").await["market"]["is_open"].clone();
    let now_s = i64::try_from(SystemClock.now().as_secs()).unwrap();
    let by_calendar = Calendar::fx().is_open(now_s);
    world.tell(Event::CycleGuarded { is_market_open: !by_calendar }).await;
    assert_eq!(is_open().await, !by_calendar, "no bar is known");
    let journal = rusqlite::Connection::open(world.folder.path().join("journal.db")).unwrap();
    let insert = "INSERT INTO decisions (cycle_id, symbol, bar_close_time, threshold) VALUES (1, 'EURUSD', ?1, 0.6)";
    journal.execute(insert, [now_s - 3 * 86_400]).unwrap();
    assert_eq!(is_open().await, by_calendar, "whatever the last cycle found");
    journal.execute("UPDATE decisions SET bar_close_time = 1500000000", []).unwrap();
    assert_eq!(is_open().await, !by_calendar, "recorded bars have their own time");
}

#[actix::test]
async fn a_position_that_the_gateway_does_not_list_is_unknown() {
    let world = World::new(&Setup { is_live: true, ..Setup::default() });
    let connection = rusqlite::Connection::open(world.folder.path().join("journal.db")).unwrap();
    for ticket in [1, 2] {
        let sql = "INSERT INTO orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss,
                   take_profit, confidence, created_at_ms, updated_at_ms, state, ticket, price)
                   VALUES (?1, '12345678', 'EURUSD', 'EURUSDm', 'm', ?1, 'BUY', 0.1, 1.0, 0, 0.7, 1, 1, 'filled', ?1, 1.1)";
        connection.execute(sql, [ticket]).unwrap();
    }
    let counts = async || {
        let symbol = &world.json("now").await["symbols"][0];
        ["positions_live", "positions_unknown", "positions_paper"].map(|name| symbol[name].as_u64().unwrap())
    };
    assert_eq!(counts().await, [2, 0, 0], "no list is older than they are");
    let listed = r#"[{"ticket":2,"symbol":"EURUSDm","side":"BUY","volume":0.1}]"#;
    let sql = "INSERT INTO account_snapshots (at_ms, account, balance, equity, currency, positions)
               VALUES (5, '12345678', 100, 100, 'USD', ?1)";
    connection.execute(sql, [listed]).unwrap();
    assert_eq!(counts().await, [1, 1, 0]);
}
