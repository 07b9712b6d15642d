// The first view: alive or not, what waits for a person, what it earned today, and what was decided about each symbol.

import { headline, stoppedBy } from "./boot.js";
import * as f from "./parts.js";
import { ago, el, money, oddsBar, oddsText, section, state, table, tiles, until, verdict, whyCell } from "./parts.js";

const CYCLES_SHOWN = 12, UNRESOLVED_MAX = 50, RECORDED_MS = 30 * 86400e3;

export async function load({ get }) {
  return { recent: await get(`decisions?limit=${CYCLES_SHOWN}`) };
}

export function render({ now, data }) {
  return [
    headline(now, facts(now)),
    waiting(now),
    section("Today, since 00:00 UTC", today(now)),
    section("Symbols", now.symbols_total > now.symbols.length && el("p.soft", null, `The first ${now.symbols.length} of ${now.symbols_total}; the others: `, el("code", null, "sentinel explain")), symbols(now)),
    data ? section("Last decisions", recent(data.recent, now)) : null,
  ];
}

/** How old what is said is. */
function facts(now) {
  const { cycle, market } = now, stop = stoppedBy(now);
  const open = market.is_open === null ? null : market.is_open ? "market open" : "market closed";
  return [
    stop && `newest signal ${f.moment(stop.cycle_id, now.now_ms)}`,
    cycle && ["last cycle ", el("b", null, ago(cycle.finished_ms)), ` ago, ${cycle.outcome}, took ${f.took(cycle.duration_ms)}`],
    now.cycles_ended ? "no more cycles are due" : now.next_cycle_ms && ["next ", until(now.next_cycle_ms)],
    newestBar(now),
    now.next_bar_close_s !== null && ["next bar ", until(now.next_bar_close_s * 1000)],
    open,
  ].filter(Boolean).map((fact) => [el("span.fact", null, fact), " "]);
}

/** Its age; of recorded bars, which are years old, their date. */
function newestBar({ newest_bar_close_s: closed, now_ms: at }) {
  if (closed === null) return null;
  return at - closed * 1000 > RECORDED_MS ? `newest bar ${f.moment(closed * 1000, at)}` : ["newest bar closed ", ago(closed * 1000), " ago"];
}

/** What a person has to look at. */
function waiting(now) {
  const { halt, unresolved, health, daemon } = now;
  const lines = [];
  if (halt.is_halted) {
    lines.push(["warn", "Halted", [halt.who ? `by ${halt.who}` : "by the kill switch's file", halt.since_ms ? [" since ", f.moment(halt.since_ms)] : null,
      halt.reason ? `: ${halt.reason}` : null]]);
  }
  if (f.isLatched(halt)) {
    lines.push(["bad", "Failures", [`${halt.failures_in_a_row} orders in a row were not filled; `,
      halt.is_available ? "Resume starts the count again" : ["to start the count again, type ", el("code", null, "sentinel resume"), " on its machine"]]]);
  }
  for (const order of unresolved) {
    lines.push(["bad", "Unknown order", [el("a", { href: `#/order/${encodeURIComponent(order.id)}` }, `${order.side} ${f.plain(order.volume)} ${order.symbol}`),
      " since ", f.moment(order.since_ms), order.reason ? `: ${order.reason}` : null, ". Look for it in the terminal, then type ", el("code", null, "sentinel orders")]]);
  }
  for (const check of health.checks) {
    // Of very many only the oldest are listed; the check counts them.
    const isSaid = (check.name === "orders" && unresolved.length && unresolved.length < UNRESOLVED_MAX) || (check.name === "kill_switch" && halt.is_halted);
    if (check.status !== "ok" && !isSaid) lines.push([check.status === "fail" ? "bad" : "warn", check.name, check.detail]);
  }
  if (!health.is_ready && health.not_ready_because && daemon.mode === "live") lines.push(["warn", "not ready", health.not_ready_because]);
  if (!lines.length) return el("p.waiting.none", null, state("good", "Nothing is waiting for you"));
  return el("ul.waiting", { "aria-label": "Waiting for you" }, lines.map(([kind, name, text]) => el("li", null, state(kind, name), " ", text)));
}

function today({ today: { live, paper }, daemon, now_ms: at }) {
  const count = (n) => `${n} trade${n === 1 ? "" : "s"} ended`;
  const told = live.seen_ms !== null && `as reported ${f.moment(live.seen_ms, at)}`;
  const isLive = daemon.mode === "live";
  return tiles([
    isLive || live.realised.amount !== null ? ["Live, realised", money(live.realised), count(live.trades)] : null,
    isLive || live.open.amount !== null ? ["Live, open", money(live.open), told] : null,
    paper && ["Paper, realised", money(paper.realised), count(paper.trades)],
    paper && ["Paper, open", money(paper.open)],
  ]);
}

function symbols(now) {
  const row = (it) => {
    const d = it.decision, signal = it.signal;
    const told = now.today.live.seen_ms, isTold = (it.positions_live || it.positions_unknown) && told !== null;
    const held = [it.positions_live && `${it.positions_live} live`, it.positions_unknown && `${it.positions_unknown} unknown`, it.positions_paper && `${it.positions_paper} paper`].filter(Boolean).join(", ");
    return [
      [el("a", { href: `#/symbol/${encodeURIComponent(it.symbol)}` }, it.symbol), d?.close !== null && d ? el("small", null, f.fixed(d.close, it.digits)) : null],
      // Of an earlier cycle than the newest: it says nothing of now.
      [verdict(d), d && d.cycle_id < now.cycle_id && el("small", null, `at ${f.clock(d.cycle_id, now.now_ms)}`)],
      d ? [oddsBar(d), el("small", null, oddsText(d))] : "",
      whyCell(d),
      signal ? [verdict(signal), el("small", null, f.moment(signal.cycle_id, now.now_ms))] : el("span.soft", null, "none"),
      held ? [held, isTold ? el("small", null, `as reported ${f.moment(told, now.now_ms)}`) : null] : el("span.soft", null, "none"),
    ];
  };
  const columns = [["Symbol", "name"], ["Now", "mark"], ["Odds", "odds-cell"], ["Why", "long"], ["Last signal", "mark"], ["Open positions", "mark"]];
  return table(columns, now.symbols.map(row), "There is no symbol.");
}

function recent({ rows }, now) {
  const digits = new Map(now.symbols.map((it) => [it.symbol, it.digits]));
  const line = (d) => [
    f.clock(d.cycle_id, now.now_ms), el("a", { href: `#/symbol/${encodeURIComponent(d.symbol)}` }, d.symbol),
    d.close === null ? "?" : f.fixed(d.close, digits.get(d.symbol) ?? 5), oddsText(d),
    d.order_id ? el("a", { href: `#/order/${encodeURIComponent(d.order_id)}` }, verdict(d)) : verdict(d),
    [whyCell(d), d.paper_order_id ? [" ", el("a.paper", { href: `#/order/${encodeURIComponent(d.paper_order_id)}` }, "◆ paper order")] : null],
  ];
  return table([["Time", "mark"], ["Symbol", "mark"], ["Close", "n"], ["Odds", "mark"], ["Decision", "mark"], ["Why", "long"]], rows.slice(0, 50).map(line), "No decision yet.", "brief");
}
