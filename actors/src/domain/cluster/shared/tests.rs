//! The machines step by step in `account`, `member`, `order_claim`, `ownership`; the plan's properties in `shards`; all of it together in
//! `simulation`; both modes against each other in `modes`.

mod account;
mod daemon;
mod member;
mod modes;
mod order_claim;
mod ownership;
mod shards;
mod simulation;
mod world;

use super::*;
use crate::domain::cluster::{Record, Terms};
use std::time::Duration;
use uuid::Uuid;

const TERMS: Terms = Terms { lease: Duration::from_secs(15), keepalive: Duration::from_secs(5) };
const WALL: i64 = 1_800_000_000;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn member_record(name: &str, instance: &str) -> MemberRecord {
    MemberRecord {
        record: Record {
            instance: instance.into(),
            member: name.into(),
            host: "inf".into(),
            pid: 17,
            version: "0.1.0".into(),
            journal: "its own".into(),
            since: WALL,
            at: WALL,
            trust_ms: 10_000,
            bars_after: None,
            before: None,
            released: false,
        },
        weight: 1,
        address: format!("{name}:9090"),
        region: "eu".into(),
        has_flapped: false,
        has_left: false,
    }
}

fn claimed_order(symbol: &str, bar_close_time: i64, closes: Option<i64>) -> ClaimedOrder {
    let name = format!("{symbol}|{bar_close_time}|{closes:?}");
    ClaimedOrder {
        client_order_id: Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()),
        symbol: symbol.into(),
        gateway_name: symbol.into(),
        closes,
        side: crate::domain::side::Side::Buy,
        volume: 0.1,
        stop_loss: 0.0,
        take_profit: 0.0,
        confidence: 0.9,
        bar_close_time,
    }
}
