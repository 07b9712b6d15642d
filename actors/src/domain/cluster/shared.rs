//! `cluster.mode = "shared"`: several daemons trade one account. Pure: each machine says what to ask etcd next and is told the
//! answer, with the time as a parameter.
//!
//! # Keys, below `PREFIX/ACCOUNT/`
//!
//! | key | value | lease | who writes it | who deletes it |
//! |-|-|-|-|-|
//! | `claim` | the holder in guard mode | its own | that daemon | its lease |
//! | `last` | who wrote last, in any mode | none | a holder or member with every keep-alive | nobody |
//! | `members/NAME` | the live member | its own | itself, once | itself when it leaves, or its lease |
//! | `seen/NAME` | the same, and when | none | the member with every keep-alive | any member, after 24 h |
//! | `drain/NAME` | that a member shall own nothing | none | a person | a person |
//! | `plan` | who should own each shard | none | any member | nobody |
//! | `shards/NN` | the owner; its `create_revision` is the epoch | the owner's | the owner, once | the owner, or its lease |
//! | `orders/SYMBOL/BAR/order` | the claim of the bar's order, later its outcome | none | the owner | a claim of the same symbol whose bar is 7 days newer |
//! | `orders/SYMBOL/BAR/ID` | the same for a close before it; the order's id is not in its name, so that it is one whatever model made it | none | the owner | the same |
//! | `open/NN/SYMBOL/BAR/...` | the same claim as long as its outcome is not final | none | with the claim | with the final outcome |
//! | `state` | the account's limits and halt | none | with each claim and outcome, or a person | nobody |
//!
//! A symbol that is never ordered again keeps its last claims for ever: a few kilobytes.
//!
//! # Why no order is sent twice
//!
//! 1. An order is claimed in one transaction ([`OrderClaim`]): the shard's epoch is the claimant's, the claim is not there, no newer
//!    bar of the symbol is claimed, nobody else has claimed anything of this bar, and the symbol has no claim without an outcome.
//!    So a bar belongs to one epoch: an owner that comes in the middle of a bar leaves it alone.
//! 2. It is sent only if its nonce was read in the claim, within 2 s after the claim was asked for, while the lease is trusted
//!    (15 s - 5 s, counted from the *sending* of the last keep-alive on the boottime clock) and the epoch is still held.
//! 3. A claim whose answer is lost is read back. If it is given up, the state is rewritten first, so that a request that is still
//!    on its way can never be carried out; then it gets the outcome `not_sent` ([`Settlement`]).
//! 4. An owner reads the claims without an outcome in the transaction that makes it the owner. Nobody can add one under an older
//!    epoch after that. They become `unknown`; their symbols are blocked until someone proves the outcome or a person says it.
//!    A claim whose owner died before it sent anything is among them: nobody can know.
//!
//! What remains is a pause of the process between its last look at the clock and the sending. It delays an order, and the
//! signature's age limit makes the gateway refuse it; it never makes a second one.
//!
//! # Limits
//!
//! They belong to the account ([`AccountState`]). Each claim is based on a version of the state, in which its limits were compared,
//! and replaces it. If another member was faster, it is read and compared again. So exactly N orders are claimed where the limit
//! is N. Orders in flight count as failures until their outcome is known; then failures in a row hold exactly, too. An order
//! counts from its claim on, sent or not.
//!
//! # Members and guards
//!
//! A member registers only while no guard claims the account, and a guard claims it only while `members/` is empty: both are
//! conditions of their transactions. Trust outlives a lease that etcd ended early, so a guard and a new member also wait until the
//! trust of whoever wrote `last` is over. Members write it with every keep-alive for this reason. A new member waits for the
//! others, too, 11 s: it cannot tell whether one of them has waited for a guard before. Who registers while nobody is a member leaves
//! all bars until then alone: since the last member left, somebody may have ordered who asks nobody, or etcd was restored. A daemon
//! with `off` leaves them alone after a time with members; a file beside its journal says so.
//!
//! # The plan
//!
//! Without memory, members that see each other at different times would want different owners. So the plan is in etcd, and all
//! go by it; any member may propose the next one ([`planner`]). A shard whose owner is gone or drained moves at once, all else at
//! most once in 60 s. A member that is drained, or whose settings are not those of who trades, counts as gone there. The plan is only a wish: what may be ordered is decided by `shards/NN` alone.
//!
//! # A partition
//!
//! A member without etcd goes on to decide and sends nothing: after 10 s its trust is over, after 15 s its lease, and the others take
//! its shards with their next look, 2 s later. Its orders on their way get their outcome when it is back: who knows an outcome
//! replaces `unknown`. If etcd has no quorum nobody orders; if all leases have ended by its return, nobody orders the bars of before.
//! If etcd lost its data, the first member leaves all bars until about a
//! minute later, because nobody knows who ordered them, and halts the account: the limits begin anew, and a halt may have been lost.
//! A person looks and resumes. The very first member of an account does the same: nothing in etcd tells the two apart, and the
//! journal of a new machine does not, either.

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
