//! What threads share in `cell`; the machines step by step in `account`, `member`, `order_claim`, `ownership`; the plan's properties in `shards`; all of it together in
//! `simulation`; both modes against each other in `modes`.

mod account;
mod cell;
mod daemon;
mod member;
mod modes;
mod order_claim;
mod ownership;
mod shards;
mod simulation;
mod targets;
mod world;

use super::*;
use crate::domain::cluster::{
    Record,
    tests::{TERMS, WALL, record, s},
};
use std::time::Duration;
use uuid::Uuid;

fn member_record(name: &str, instance: &str) -> MemberRecord {
    MemberRecord {
        record: Record { member: name.into(), ..record(instance, "its own") },
        weight: 1,
        address: format!("{name}:9090"),
        region: "eu".into(),
        settings: "the same".into(),
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
