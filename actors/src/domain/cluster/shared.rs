//! `cluster.mode = "shared"`: several daemons trade one account. Pure: each machine says what to ask etcd next and is told the
//! answer, with the time as a parameter. The keys, and why no order is sent twice: actors/README.md, "Members of a cluster".

mod account;
mod cell;
mod edit;
pub mod key;
mod member;
mod order_claim;
mod ownership;
pub mod planner;
mod records;
mod rival;
mod settlement;
mod shards;
mod targets;
#[cfg(test)]
mod tests;
mod transaction;
mod view;

pub use account::{AccountState, Attempt, DayBegin, Halt};
pub use cell::{Inheritance, MemberCell, Share};
pub use edit::{Edit, Wish};
pub use key::{Key, Span};
pub use member::{JOURNAL, Member, SEEN_FOR_S, VIEW_PERIOD};
pub use order_claim::{AGE_MAX, KEPT_FOR_S, OrderClaim, Verdict};
pub use ownership::{Ownership, Phase};
pub use records::{Claim, ClaimedOrder, Drain, Member as MemberRecord, Owner, Value};
pub use rival::Rival;
pub use settlement::{Settled, Settlement};
pub use shards::{Candidate, Plan, SHARDS, Shard};
pub use targets::{Target, targets};
pub use transaction::{Answer, Change, Compare, Done, Entry, Request, Transaction};
pub use view::{View, halt_in};
