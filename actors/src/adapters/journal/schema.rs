//! The tables, version by version. A version that was ever released is never edited: a later one follows it.

use super::OpenError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Marks the file as ours: `SNTL`.
pub(super) const APPLICATION_ID: i64 = 0x534e_544c;

/// What each version adds; `PRAGMA user_version` counts how many a file has.
pub(super) const MIGRATIONS: [&str; 9] = ["
CREATE TABLE orders (
    id             TEXT PRIMARY KEY,     -- client_order_id
    account        TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    gateway_name   TEXT NOT NULL,        -- the broker's name of the symbol
    model          TEXT NOT NULL,
    bar_close_time INTEGER NOT NULL,     -- unix seconds
    closes         INTEGER,              -- the ticket it closes; null if it opens a position
    side           TEXT NOT NULL,
    volume         REAL NOT NULL,        -- lots
    stop_loss      REAL NOT NULL,        -- absolute prices, 0 for none
    take_profit    REAL NOT NULL,
    confidence     REAL NOT NULL,
    state          TEXT NOT NULL
        CHECK (state IN ('intent', 'sending', 'filled', 'rejected', 'not_sent', 'unknown', 'expired')),
    ticket         INTEGER,
    price          REAL,
    reason         TEXT,
    tickets_before TEXT,                 -- of the symbol, when it was made: '5,7'; null if nobody knew
    closed_at_ms   INTEGER,              -- when the position it opened stopped counting
    created_at_ms  INTEGER NOT NULL,     -- unix milliseconds
    updated_at_ms  INTEGER NOT NULL
);
CREATE UNIQUE INDEX orders_identity ON orders (account, model, symbol, bar_close_time) WHERE closes IS NULL;
CREATE INDEX orders_held ON orders (account, symbol) WHERE state = 'filled' AND closes IS NULL AND closed_at_ms IS NULL;
CREATE INDEX orders_open ON orders (state) WHERE state IN ('intent', 'sending', 'unknown');
CREATE INDEX orders_created ON orders (created_at_ms);
CREATE TABLE order_events (
    id       INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    at_ms    INTEGER NOT NULL,
    state    TEXT NOT NULL,              -- what it became
    who      TEXT NOT NULL,              -- 'daemon', 'proof' or 'person:<user>'
    note     TEXT
);
CREATE INDEX order_events_order ON order_events (order_id);
CREATE TABLE equity (
    account TEXT NOT NULL,
    day     INTEGER NOT NULL,            -- UTC, days since the unix epoch
    first   REAL NOT NULL,               -- the first that was seen on it
    PRIMARY KEY (account, day)
);
CREATE TABLE resumed (                   -- a person said to go on: failures before it count no more
    at_ms       INTEGER NOT NULL,
    who         TEXT NOT NULL,
    after_order INTEGER NOT NULL         -- rowid of the newest order then; a wall clock may be set back
);
CREATE TABLE decisions (
    id             INTEGER PRIMARY KEY,
    cycle_id       INTEGER NOT NULL,     -- the cycle's begin, unix milliseconds
    symbol         TEXT NOT NULL,
    market_now     INTEGER,              -- what the bar's age counts from, unix seconds
    bar_close_time INTEGER,              -- unix seconds
    close          REAL,                 -- the newest price
    bars_sha256    BLOB,                 -- of the window: per bar open time (i64), open, high, low, close, volume (f64)
    features       BLOB,                 -- the newest bar's 23 (f64); all little-endian
    p_sell         REAL,
    p_hold         REAL,
    p_buy          REAL,
    threshold      REAL NOT NULL,
    action         TEXT,
    suppressed     TEXT,                 -- why a BUY or SELL was not sent
    failed_stage   TEXT,                 -- or which stage failed, and how
    failure        TEXT,
    failure_detail TEXT,                 -- one line for a person
    order_id       TEXT,
    close_ids      TEXT                  -- orders that closed opposite positions before it: 'id,id'
);
CREATE INDEX decisions_cycle ON decisions (cycle_id);
CREATE INDEX decisions_symbol ON decisions (symbol, cycle_id);
CREATE TABLE probe (at_ms INTEGER NOT NULL);
", "
CREATE TABLE confidences (               -- the first of each bar; a table of its own, for decisions do not name the model
    model          TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    bar_close_time INTEGER NOT NULL,     -- unix seconds
    confidence     REAL NOT NULL,
    cycle_id       INTEGER NOT NULL,     -- the cycle's begin, unix milliseconds
    PRIMARY KEY (model, symbol, bar_close_time)
) WITHOUT ROWID;
CREATE INDEX confidences_bar ON confidences (model, bar_close_time);
", "
ALTER TABLE orders ADD COLUMN filled_volume REAL;  -- lots that the gateway said were filled; null: as ordered
ALTER TABLE orders ADD COLUMN dialect TEXT;      -- what it was sent in: its outcome is proven by that dialect's rules or by none
ALTER TABLE orders ADD COLUMN account_mode TEXT; -- 'netting' or 'hedging', as the settings had it then
CREATE TABLE accounts (
    account       TEXT PRIMARY KEY,
    live_since_ms INTEGER NOT NULL       -- what it ordered before that is not in this journal; unix milliseconds
);
INSERT INTO accounts SELECT account, min(created_at_ms) FROM orders GROUP BY account;
", "
CREATE TABLE versions (                  -- what decisions were made with; a row for each state of it that there ever was
    id                INTEGER PRIMARY KEY,
    config_hash       INTEGER NOT NULL,  -- sentinel_config_hash
    model_fingerprint TEXT NOT NULL,     -- name and address; the server does not say which model it serves
    app_version       TEXT NOT NULL,
    settings          TEXT NOT NULL,     -- JSON: what it takes to decide again, without secrets
    UNIQUE (config_hash, model_fingerprint, app_version, settings)
);
ALTER TABLE decisions ADD COLUMN version_id INTEGER REFERENCES versions (id);
ALTER TABLE decisions ADD COLUMN bars INTEGER;          -- bars in the window
ALTER TABLE decisions ADD COLUMN sequence_sha256 BLOB;  -- of the 60x23 sequence (f32, little-endian), the oldest bar first
ALTER TABLE decisions ADD COLUMN judged_at_ms INTEGER;  -- when the rules about earlier orders were asked, unix milliseconds
CREATE TABLE outcomes (                  -- what came of the first decision on a bar, whatever was ordered
    model          TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    bar_close_time INTEGER NOT NULL,     -- of the bar decided on, unix seconds
    horizon        INTEGER NOT NULL,     -- so many bars later, of those that the market had
    exit_price     REAL NOT NULL,        -- the close then
    label          TEXT NOT NULL,        -- 'BUY', 'SELL' or 'HOLD': what would have been right
    ret_points     REAL NOT NULL,        -- from the close decided on to exit_price, in units of the last decimal place
    PRIMARY KEY (model, symbol, bar_close_time, horizon)
) WITHOUT ROWID;
CREATE TABLE account_snapshots (         -- what the gateway told last, when that changed, and once an hour
    at_ms     INTEGER NOT NULL,          -- unix milliseconds
    account   TEXT NOT NULL,
    balance   REAL,                      -- in the account's currency, as all of these; null: never told
    equity    REAL,
    margin    REAL,
    positions TEXT                       -- JSON: [{\"ticket\":1,\"symbol\":\"EURUSD\",\"side\":\"BUY\",\"volume\":0.1}]
);
CREATE INDEX account_snapshots_account ON account_snapshots (account, at_ms);
CREATE TABLE forgotten (before_ms INTEGER NOT NULL); -- settled orders of before may be missing; unix milliseconds
", "
CREATE TABLE paper_orders (              -- orders on paper; nothing that concerns live orders ever reads this table
    id             TEXT PRIMARY KEY,     -- UUIDv5, another than that of the live order of the same bar
    account        TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    gateway_name   TEXT NOT NULL,        -- the broker's name of the symbol
    model          TEXT NOT NULL,
    bar_close_time INTEGER NOT NULL,     -- of the bar decided on, unix seconds
    side           TEXT NOT NULL,        -- 'BUY' or 'SELL'
    volume         REAL NOT NULL,        -- lots
    stop_loss      REAL NOT NULL,        -- absolute prices, 0 for none
    take_profit    REAL NOT NULL,
    confidence     REAL NOT NULL,
    close          REAL NOT NULL,        -- the price decided on
    digits         INTEGER NOT NULL,     -- decimal places of a price; a point is one of the last
    ticket         INTEGER NOT NULL,     -- counted from 1 in each account on paper
    closes         INTEGER,              -- the ticket that it ended instead of opening a position, as on a netting account:
                                         -- then it is no trade, and nothing below is set but the times. null: it is a trade
    entry_at       INTEGER,              -- unix seconds; null while the next bar is not known: the position counts as open
    entry_price    REAL,                 -- costs included, as in exit_price
    entry_source   TEXT,                 -- 'next_open', 'quote'
    seen_to        INTEGER NOT NULL,     -- open time of the newest bar that it was followed to, unix seconds
    bars_seen      INTEGER NOT NULL,     -- so many bars after the one decided on
    mark_price     REAL NOT NULL,        -- close of the newest one
    ended_by       TEXT,                 -- the order of the other side that ends it at the next bar's open
    exit_at        INTEGER,              -- unix seconds; null while it is open. Within a bar nobody knows: the bar's close
    exit_price     REAL,                 -- null if it is lost
    exit_source    TEXT,                 -- 'next_open', 'bar': a stop's price, the open or the close of a bar; null if it is lost
    exit_reason    TEXT,                 -- 'stop_loss', 'take_profit', 'opposite', 'horizon', 'lost': bars in between are missing
    is_ambiguous   INTEGER NOT NULL,     -- 1: the bar held both stops and counts as the stop-loss
    nights         INTEGER,              -- for which swap was charged
    net_points     REAL,                 -- what it brought after costs; null if it is open or lost
    profit         REAL,                 -- the same in the account's currency; null if nobody knows
    spread_points  REAL,                 -- the costs, in points; all null: none were set, and its figures are before costs
    slippage_points   REAL,              -- of each side
    commission_points REAL,              -- of each side
    swap_points       REAL,              -- of each night
    created_at_ms  INTEGER NOT NULL,     -- unix milliseconds
    updated_at_ms  INTEGER NOT NULL
);
CREATE INDEX paper_orders_open ON paper_orders (account) WHERE exit_at IS NULL AND closes IS NULL;
CREATE INDEX paper_orders_bar ON paper_orders (symbol, bar_close_time);
CREATE INDEX paper_orders_created ON paper_orders (created_at_ms);
CREATE TABLE paper_equity (              -- the account on paper, a row whenever it changed
    at_ms       INTEGER NOT NULL,        -- unix milliseconds
    account     TEXT NOT NULL,
    start       REAL NOT NULL,           -- paper.balance, in the account's currency
    balance     REAL NOT NULL,           -- that, and the known profits of all trades that have ended
    equity      REAL,                    -- with the open ones at their newest close; null: not known in money
    points      REAL NOT NULL,           -- what all trades brought that have ended
    open_points REAL NOT NULL,           -- what the open ones would bring now, after costs
    unpriced    INTEGER NOT NULL         -- trades that have ended and whose profit nobody knows: not in the balance
);
CREATE INDEX paper_equity_account ON paper_equity (account, at_ms);
ALTER TABLE decisions ADD COLUMN paper_order_id TEXT;   -- the order on paper
ALTER TABLE decisions ADD COLUMN paper_suppressed TEXT; -- or why a BUY or SELL made none; both null: paper was not asked
", "
ALTER TABLE account_snapshots ADD COLUMN currency TEXT; -- null: never told
ALTER TABLE account_snapshots ADD COLUMN is_whole INTEGER NOT NULL DEFAULT 0; -- 1: told together, so that two can be compared
CREATE TABLE realised (                  -- what positions brought, as far as the account shows it; never forgotten
    account    TEXT NOT NULL,
    ticket     INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,         -- when it was noticed, unix milliseconds
    source     TEXT NOT NULL CHECK (source IN ('estimated', 'gateway', 'statement')), -- the last of these in the alphabet counts; nothing writes the third yet
    kind       TEXT NOT NULL,            -- 'close', 'part' of a position, 'opening': what the broker charged for it
    symbol     TEXT NOT NULL,            -- ours if it is known from orders, else the broker's name
    order_id   TEXT,                     -- the order that opened it; null: not ours
    profit     REAL NOT NULL,            -- in the account's currency, swap included
    is_settled INTEGER NOT NULL,         -- 0: the balance has not moved yet
    PRIMARY KEY (account, ticket, at_ms, source)
) WITHOUT ROWID;
CREATE INDEX realised_at ON realised (account, at_ms);
CREATE TABLE unexplained (               -- steps of the balance that no close explains; never forgotten
    account TEXT NOT NULL,
    at_ms   INTEGER NOT NULL,
    amount  REAL NOT NULL,
    PRIMARY KEY (account, at_ms)
) WITHOUT ROWID;
CREATE TABLE equity_peaks (              -- the highest equity, without what is unexplained up to then
    account TEXT PRIMARY KEY,
    peak    REAL NOT NULL,
    at_ms   INTEGER NOT NULL
);
", "
CREATE TABLE console_actions (           -- who pressed a button of the console
    id     INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL,             -- unix milliseconds
    who    TEXT NOT NULL,                -- 'console:<user>@<address>'
    action TEXT NOT NULL,                -- 'halt', 'ask_resume', or 'resume' once it is done
    note   TEXT                          -- the reason that was typed
);
-- What the console draws on a chart: of a bar's sixty equal decisions those that say something. Its condition is repeated word
-- by word where it is meant.
CREATE INDEX decisions_telling ON decisions (symbol, bar_close_time, cycle_id)
WHERE (order_id IS NOT NULL OR paper_order_id IS NOT NULL OR failure IS NOT NULL
    OR (action <> 'HOLD' AND suppressed IS NOT NULL AND suppressed <> 'already_ordered'));
", "
ALTER TABLE paper_orders ADD COLUMN ended_at_ms INTEGER; -- when its end was noticed, unix milliseconds; null: it is open or no trade
CREATE INDEX paper_orders_ended ON paper_orders (account, ended_at_ms) WHERE ended_at_ms IS NOT NULL;
ALTER TABLE realised ADD COLUMN volume REAL; -- lots that were closed; null: nobody saw them, or nothing was
CREATE INDEX orders_ticket ON orders (account, ticket) WHERE state = 'filled' AND closes IS NULL;
ALTER TABLE account_snapshots ADD COLUMN every_s INTEGER; -- seconds between two looks, as the settings have it; null: not known
-- Empty, but for what a daemon of an earlier version writes that still runs. Its condition is repeated word by word where it is meant.
CREATE INDEX paper_orders_unnoticed ON paper_orders (id) WHERE exit_at IS NOT NULL AND closes IS NULL AND ended_at_ms IS NULL;
", "
ALTER TABLE account_snapshots ADD COLUMN account_ms INTEGER;   -- when balance and equity were told last, unix milliseconds; null: at_ms, or never
ALTER TABLE account_snapshots ADD COLUMN positions_ms INTEGER; -- when the positions were
-- Each index costs each cycle a page, and so does each table that keeps the symbols of one bar apart.
DROP INDEX decisions_cycle; DROP INDEX decisions_symbol; CREATE INDEX decisions_cycle_symbol ON decisions (cycle_id, symbol);
DROP INDEX orders_created;               -- there are few orders, and they are sought by time at a start only
CREATE TABLE confidences_by_bar (        -- as it was, but for its key
    model TEXT NOT NULL, symbol TEXT NOT NULL, bar_close_time INTEGER NOT NULL, confidence REAL NOT NULL, cycle_id INTEGER NOT NULL,
    PRIMARY KEY (model, bar_close_time, symbol)) WITHOUT ROWID;
INSERT INTO confidences_by_bar SELECT model, symbol, bar_close_time, confidence, cycle_id FROM confidences ORDER BY 1, 3, 2;
DROP TABLE confidences; ALTER TABLE confidences_by_bar RENAME TO confidences;
"];

/// Trades on paper that have ended, and nothing says when that was noticed. A daemon that was started before an upgrade goes on in the
/// file that a command of the later version has brought up to date, and does not know the column.
pub(super) const UNNOTICED: &str = "exit_at IS NOT NULL AND closes IS NULL AND ended_at_ms IS NULL";

/// Latest version.
#[allow(clippy::cast_possible_wrap)] // a handful
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Refuses a file that is not ours or is from the future, before anything in it is touched.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let all = (|| {
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        Ok((tables, number("PRAGMA application_id")?, number("PRAGMA user_version")?))
    })();
    let (tables, application_id, found) = all.map_err(|error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign(path.to_owned()),
        _ => OpenError::failed(path, error),
    })?;
    if tables > 0 && application_id != APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    if found > VERSION { Err(OpenError::Newer { found, known: VERSION }) } else { Ok(()) }
}

/// Applies what the file lacks, all of it or nothing.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let version = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    if version(connection)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again under the lock: another process may just have done it.
    let done = usize::try_from(version(&transaction)?).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Such a trade counts as noticed when its row changed last: nothing else tells it. Nothing is written if there is none, so that this
/// waits for no other writer.
pub(super) fn complete(connection: &Connection) -> rusqlite::Result<()> {
    let find = format!("SELECT EXISTS (SELECT 1 FROM paper_orders WHERE {UNNOTICED})");
    if connection.query_row(&find, [], |row| row.get(0))? {
        connection.execute(&format!("UPDATE paper_orders SET ended_at_ms = updated_at_ms WHERE {UNNOTICED}"), [])?;
    }
    Ok(())
}
