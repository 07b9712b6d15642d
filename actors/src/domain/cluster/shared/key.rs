//! The names of the keys below the account's part of etcd, and spans of them.

use super::shards::Shard;
use uuid::Uuid;

/// The name of a key below the account's part: `shards/07`.
pub type Key = String;

/// Keys `from..to` in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The first key.
    pub from: Key,
    /// After the last key.
    pub to: Key,
    /// Whether only the last of these keys is wanted. Not for a condition.
    pub is_newest: bool,
}

impl Span {
    /// One key.
    pub fn one(key: &str) -> Self {
        Self::between(key.into(), format!("{key}\0"))
    }

    /// All keys that begin with this folder's name, which ends with a slash.
    pub fn folder(name: &str) -> Self {
        let end = name.strip_suffix('/').unwrap_or(name);
        // The character after the slash.
        Self::between(name.into(), format!("{end}0"))
    }

    /// From this key until before that one.
    pub const fn between(from: Key, to: Key) -> Self {
        Self { from, to, is_newest: false }
    }

    /// Only the last of them.
    #[must_use]
    pub fn newest(self) -> Self {
        Self { is_newest: true, ..self }
    }

    /// Whether a key is in it.
    pub fn has(&self, key: &str) -> bool {
        self.from.as_str() <= key && key < self.to.as_str()
    }
}

/// The claim of a daemon with `cluster.mode = "guard"`.
pub const CLAIM: &str = "claim";
/// Who wrote last, in any mode.
pub const LAST: &str = "last";
/// Who should own each shard.
pub const PLAN: &str = "plan";
/// The account's state.
pub const STATE: &str = "state";
/// The folder of the members.
pub const MEMBERS: &str = "members/";
/// The folder of who was a member.
pub const SEEN: &str = "seen/";
/// The folder of the members that shall own nothing.
pub const DRAIN: &str = "drain/";
/// The folder of the owners.
pub const SHARDS: &str = "shards/";
/// The folder of the claims without a final outcome.
pub const OPEN: &str = "open/";

/// A live member.
pub fn member(name: &str) -> Key {
    format!("{MEMBERS}{}", escaped(name))
}

/// When a member was last there.
pub fn seen(name: &str) -> Key {
    format!("{SEEN}{}", escaped(name))
}

/// That a member shall own nothing.
pub fn drain(name: &str) -> Key {
    format!("{DRAIN}{}", escaped(name))
}

/// The owner of a shard.
pub fn shard(shard: Shard) -> Key {
    format!("{SHARDS}{shard}")
}

/// The claim of an order (`id` is `None`), or of a close before it.
pub fn order(symbol: &str, bar_close_time: i64, id: Option<Uuid>) -> Key {
    format!("{}{}", bar_folder(symbol, bar_close_time), id.map_or_else(|| "order".into(), |id| id.to_string()))
}

/// All claims of a bar.
pub fn bar(symbol: &str, bar_close_time: i64) -> Span {
    Span::folder(&bar_folder(symbol, bar_close_time))
}

/// All claims of a symbol.
pub fn orders_of(symbol: &str) -> Span {
    Span::folder(&format!("orders/{}/", escaped(symbol)))
}

/// The symbol's claims of this bar and later ones.
pub fn bars_from(symbol: &str, bar_close_time: i64) -> Span {
    Span { from: bar_folder(symbol, bar_close_time), ..orders_of(symbol) }
}

/// The symbol's claims of bars before this one.
pub fn bars_before(symbol: &str, bar_close_time: i64) -> Span {
    Span { to: bar_folder(symbol, bar_close_time), ..orders_of(symbol) }
}

/// The same claim as long as it has no final outcome.
pub fn open(shard: Shard, order: &str) -> Key {
    format!("{OPEN}{shard}/{}", order.strip_prefix("orders/").unwrap_or(order))
}

/// All of a shard.
pub fn open_of_shard(shard: Shard) -> Span {
    Span::folder(&format!("{OPEN}{shard}/"))
}

/// All of a symbol.
pub fn open_of_symbol(symbol: &str) -> Span {
    Span::folder(&format!("{OPEN}{}/{}/", Shard::of(symbol), escaped(symbol)))
}

/// Ten digits, so that the order of the keys is the order of the bars until the year 2286.
fn bar_folder(symbol: &str, bar_close_time: i64) -> String {
    format!("orders/{}/{:010}/", escaped(symbol), bar_close_time.clamp(0, 9_999_999_999))
}

/// A name cannot reach out of its folder.
fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}
