// Every order, live or paper, and the life of one: which state, since when, by whom, and the note.

import * as f from "./parts.js";
import { el, lots, money, oddsBar, oddsText, orderState, section, state, table, whyCell } from "./parts.js";

// The list is one answer, asked for again at each poll, so that no order in it is old and none is left out.
const PAGE = 50, MORE = 150, MOST = 500;
const list = { ledger: "live", count: PAGE };

const isOne = ({ args }) => args[0] === "one" && args[1];
const ledgerOf = ({ args }) => (args[0] === "paper" ? "paper" : "live");

export async function load(context) {
  const { get, args } = context;
  if (isOne(context)) return { one: await get(`orders/${encodeURIComponent(args[1])}`) };
  const ledger = ledgerOf(context);
  if (ledger !== list.ledger) Object.assign(list, { ledger, count: PAGE });
  return { first: await get(`orders?ledger=${ledger}&limit=${list.count}`) };
}

export function render(context) {
  const { data, now } = context;
  if (isOne(context)) return data?.one ? life(data.one, now) : el("p.soft", null, context.error ? "There is nothing to show." : "Reading the order…");
  const ledger = ledgerOf(context);
  const tab = (name, text) => el("a", { href: `#/orders/${name}`, "aria-current": name === ledger ? "page" : null }, text);
  if (!data?.first) return el("p.soft", null, "Reading the orders…");
  const { rows, next_before: next } = data.first;
  return [
    el("div.bar.tabs", { role: "group", "aria-label": "Ledger" }, tab("live", "Live"), tab("paper", "Paper")),
    table(columns(ledger), rows.map((row) => line(row, now)), ledger === "live" ? "No order yet." : "No paper order yet."),
    next !== null && el("p", null, list.count < MOST ? el("button", { type: "button", "data-act": "more" }, "Older orders")
      : ["Older ones: ", el("code", null, "sentinel orders")]),
  ];
}

const columns = (ledger) => [["Made", "mark"], ["Order", "mark"], ["State", "mark"], [ledger === "live" ? "Filled at" : "Entry", "n"],
  ["Position", "mark"], ["Profit", "n"], ["Note", "long"]];

function line(o, now) {
  const digits = now.symbols.find((it) => it.symbol === o.symbol)?.digits ?? 5;
  return [
    el("a", { href: `#/order/${encodeURIComponent(o.id)}` }, f.moment(o.created_ms, now.now_ms)),
    [`${o.side} ${lots(o)} ${o.symbol}`, o.kind === "close" ? el("small", null, `closes ticket ${o.closes}`) : null],
    o.ledger === "paper" && o.state === "filled" && !o.entry ? state("soft", "waits for the next open") : orderState(o.state),
    o.entry ? [f.fixed(o.entry.price, digits), el("small", null, entryWords(o.entry.source))] : "?",
    positionOf(o, digits),
    money(o.profit),
    o.reason ?? "",
  ];
}

const entryWords = (source) => ({ gateway: "by the gateway", next_open: "next open", quote: "quote" })[source] ?? source ?? "";

const EXITS = { stop_loss: "stop-loss", take_profit: "take-profit", opposite: "opposite signal", horizon: "horizon", lost: "lost sight of", gone: "gone from the gateway's list" };

/** "unknown" rather than "closed" where only the broker knows. */
function positionOf(o, digits) {
  if (!o.position) return el("span.soft", null, o.kind === "close" ? "a close" : "none, or not known");
  const shape = { open: state("good", "open"), closed: state("soft", "closed"), unknown: state("unknown", "unknown") }[o.position] ?? state("soft", o.position);
  const end = o.exit ? [EXITS[o.exit.reason] ?? o.exit.reason, Number.isFinite(o.exit.price) ? `at ${f.fixed(o.exit.price, digits)}` : null, f.moment(o.exit.at_ms)].filter(Boolean).join(", ") : null;
  return [shape, end && el("small", null, end)];
}

function life({ order: o, events, decision: d }, now) {
  const digits = now.symbols.find((it) => it.symbol === o.symbol)?.digits ?? 5;
  const stop = (price) => (price ? f.fixed(price, digits) : "none");
  const facts = [["Order", el("code", null, o.id)], ["Account", o.account], ["Model", o.model], ["Bar", `closed ${f.moment(o.bar_close_s * 1000, now.now_ms)}${o.close === null ? "" : `, at ${f.fixed(o.close, digits)}`}`],
    ["Volume", `${lots(o)} lots`], ["Stop-loss, take-profit", `${stop(o.stop_loss)}, ${stop(o.take_profit)}`], ["Ticket", o.ticket ?? "?"],
    [o.ledger === "paper" ? "Entry" : "Fill", o.entry ? `${f.fixed(o.entry.price, digits)}, ${entryWords(o.entry.source)}, ${f.moment(o.entry.at_ms, now.now_ms)}` : "?"],
    ["Position", positionOf(o, digits)], ["Profit", money(o.profit)]];
  const step = (event, at) => el("li", null, el("span.at", null, f.clock(event.at_ms, now.now_ms)), " ", orderState(event.state), ` ${event.who}`,
    at > 0 && event.at_ms >= events[at - 1].at_ms ? el("small", null, ` after ${f.took(event.at_ms - events[at - 1].at_ms)}`) : null, event.note ? el("div.note", null, event.note) : null);
  return [
    el("p.bar", null, el("a", { href: `#/orders/${o.ledger}` }, "‹ All orders"), el("a", { href: `#/symbol/${encodeURIComponent(o.symbol)}` }, "On the chart")),
    el(`div.verdict.${o.state === "filled" ? "good" : o.state === "unknown" || o.state === "rejected" || o.state === "not_sent" ? "bad" : "soft"}`, null,
      o.ledger === "paper" ? "◆ paper: " : null, `${o.side} ${lots(o)} ${o.symbol} `, orderState(o.state), o.reason ? el("small", null, o.reason) : null,
      o.state === "unknown" ? el("small", null, `It may have been executed, and is never sent again. Look for it in the terminal, then say what you found: sentinel orders resolve ${o.id}`) : null),
    section("Its life", el("ol.life", null, events.map(step))),
    section("What it is", el("dl.facts", null, facts.map(([name, value]) => [el("dt", null, name), el("dd", null, value)]))),
    d && section("The decision", el("p", null, f.clock(d.cycle_id, now.now_ms), " ", oddsText(d), " ", whyCell(d)), oddsBar(d)),
  ];
}

export function act(name, value, { reload }) {
  if (name !== "more") return;
  list.count = Math.min(MOST, list.count + MORE);
  reload();
}

export function leave() {
  list.count = PAGE;
}
