// What it earned: live and paper beside each other, and live minus paper. Unknown stays unknown.

import * as f from "./parts.js";
import { el, money, section, table, tiles } from "./parts.js";
import { columns, host, Kept, lines } from "./plot.js";

const plots = new Kept(), DAYS_SHOWN = 31;
const RANGES = [["day", "Day"], ["week", "Week"], ["month", "Month"], ["all", "All"]];
let range = "month";

export async function load({ get }) {
  const [books, equity] = await Promise.all([get("money"), get(`equity?range=${range}`)]);
  return { books, equity };
}

export function render({ data, now }) {
  if (!data) return el("p.soft", null, "Reading the books…");
  const { books, equity } = data, names = { today: "Today", week: "This week", month: "This month" };
  const trouble = books.account?.trouble ?? equity.trouble;
  return [
    el("div", null, trouble && now.daemon.mode === "live" && el("p.trouble", { role: "status" }, `Not up to date: ${trouble}`), account(books, now)),
    section("Profit and loss, realised", ledgers("Period", books.periods, (it) => [names[it.period] ?? it.period, el("small", null, `since ${f.moment(it.from_ms, now.now_ms)}`)]),
      el("p.soft", null, "Live minus paper: signals that ended on both, without trades by hand; what execution brought or cost. It counts when the later of the two ended. What the gateway reports after a cycle is here after the next one.")),
    section("Equity", el("div.bar", { role: "group", "aria-label": "Range" }, RANGES.map(([id, text]) => el("button", { type: "button", "data-act": "range", "data-arg": id, "aria-pressed": String(id === range) }, text))),
      equityText(equity, now)),
    section("By day (UTC)", books.days.length ? [dayPlot(books), ledgers("Day", books.days.slice(0, DAYS_SHOWN), (it) => it.day)] : el("p.soft", null, "No trade has ended yet.")),
    section("By symbol, this month", ledgers("Symbol", books.symbols, (it) => it.symbol)),
    books.unexplained.length ? section("Unexplained steps of the balance", el("p.soft", null, "No close explains them: a deposit, or a trade by hand."),
      table([["When", "mark"], ["Amount", "n"]], books.unexplained.map((it) => [f.moment(it.at_ms, now.now_ms), f.sum(it.amount, it.unit)]), "")) : null,
  ];
}

function account({ account: a, paper_start: start, slippage: s }, now) {
  const sum = (value) => old(a?.trouble, a ? f.sum(value, a.currency, false) : "?");
  const told = a?.seen_ms ? `reported ${f.moment(a.seen_ms, now.now_ms)}` : "never reported";
  return tiles([
    (a || now.daemon.mode === "live") && ["Balance", sum(a?.balance ?? null), told], (a || now.daemon.mode === "live") && ["Equity", sum(a?.equity ?? null), told],
    start !== null && ["Paper began with", f.sum(start, a?.currency ?? "", false)],
    s && s.fills > 0 && ["Slippage", f.sum(s.mean_points, "points"), `mean of ${s.fills} fills, worst ${f.plain(s.worst_points)}; above 0 is worse`]]);
}

/** What the gateway reported before it fell silent is no sum of now. */
const old = (trouble, text) => (trouble ? el("span.soft", null, text) : text);

const unitOf = (rows, ledger) => rows.find((it) => it[ledger]?.unit)?.[ledger].unit ?? null;

function ledgers(name, rows, first) {
  const count = (n) => el("small", null, `${n} trade${n === 1 ? "" : "s"}`);
  const signals = (n) => (n ? el("small", null, `${n} signal${n === 1 ? "" : "s"}`) : null);
  const line = (it) => [first(it), [money(it.live), count(it.live_trades)], [money(it.paper), count(it.paper_trades)], [money(it.difference), signals(it.pairs)]];
  return table([[name, "name"], ["Live", "n"], ["Paper", "n"], ["Live minus paper", "n"]], rows.map(line), "Nothing yet.");
}

function equityText(equity, now) {
  const { live, paper, trouble } = equity;
  if (!live && !paper) return el("p.soft", null, "No equity is known yet.");
  const share = (it, name) => (it.unit === "points" || !Number.isFinite(it[name]) ? "" : ` (${f.percent(it[name])})`);
  const one = (name, it) => it && [`${name}: drawdown`, old(it.seen_ms && trouble, `${f.sum(it.drawdown, it.unit, false)}${share(it, "drawdown_share")}`),
    `${it.seen_ms ? `reported ${f.moment(it.seen_ms, now.now_ms)}; ` : ""}from the peak ${f.sum(it.peak, it.unit, false)}; deepest ever ${f.sum(it.drawdown_max, it.unit, false)}${share(it, "drawdown_max_share")}`];
  return [
    groups(equity).map((names) => [
      host(`equity-${names[0]}`, `Change of equity over time, ${names.join(" and ")}`), host(`drawdown-${names[0]}`, `Drawdown, ${names.join(" and ")}`),
      el("p.legend", null, names.map((name) => el(`span.key.${KEYS[name]}`, null, `${name}, ${equity[name].unit ?? "unit not reported"}`)),
        el("span", null, `above: change since the range began; below: distance from its peak; both without deposits and withdrawals; times: ${f.zoneName()}`))]),
    tiles([one("Live", live), one("Paper", paper)]),
    paper?.unpriced > 0 && el("p.soft", null, `Paper is without ${paper.unpriced} trade${paper.unpriced === 1 ? "" : "s"} whose profit is not known.`),
  ];
}

const KEYS = { live: "buy", paper: "paper.dashed" }, LINES = { live: ["buy", undefined], paper: ["paper", [6, 4]] };

/** The ledgers that one axis can show: those with the same unit. */
function groups({ live, paper }) {
  const there = [["live", live], ["paper", paper]].filter(([, it]) => it?.rows.length).map(([name]) => name);
  return there.length === 2 && live.unit !== paper.unit ? [["live"], ["paper"]] : there.length ? [there] : [];
}

const dayPlot = (books) => (known(books.days).length ? [host("days", "Profit and loss by day"),
  el("p.legend", null, el("span.key.column.buy", null, "live"), el("span.key.outline.paper", null, "paper"), el("span", null, unitOf(books.days, "live") ?? unitOf(books.days, "paper") ?? ""))] : null);
const known = (days) => days.filter((it) => [it.live, it.paper].some((m) => Number.isFinite(m?.amount)));

export async function drawn({ data }) {
  if (!data) return;
  const { books, equity } = data;
  const series = (names, make) => names.map((name) => ({ name, colour: LINES[name][0], dash: LINES[name][1], points: make(earned(equity[name]), equity[name].peak_before) }));
  const days = known(books.days).slice(0, DAYS_SHOWN).reverse(), value = (m) => (Number.isFinite(m?.amount) ? m.amount : null);
  await Promise.all([
    ...groups(equity).flatMap((names) => [
      plots.draw(`equity-${names[0]}`, names.map((name) => equity[name]), (Plot, target, width) => lines(Plot, target, width, { series: series(names, change), range: around })),
      plots.draw(`drawdown-${names[0]}`, names.map((name) => equity[name]), (Plot, target, width) => lines(Plot, target, width, { series: series(names, fall), height: 110, range: (u, least) => [Math.min((least ?? 0) * 1.1, -1), 0] }))]),
    plots.draw("days", days, (Plot, target, width) => columns(Plot, target, width, { groups: days.map(({ day }) => day.slice(5)),
      series: [{ name: "live", colour: "buy", values: days.map((it) => value(it.live)) }, { name: "paper", colour: "paper", values: days.map((it) => value(it.paper)) }] })),
  ]);
}

/** The equity without what was deposited and withdrawn, which is neither profit nor loss: [[ms, value]]. */
export function earned({ rows, columns }) {
  const [ms, equity, unexplained] = ["at_ms", "equity", "unexplained"].map((name) => columns.indexOf(name));
  return rows.map((row) => [row[ms], Number.isFinite(row[equity]) ? row[equity] - (row[unexplained] ?? 0) : null]);
}

/** A little room; an equity that has not moved is a line in the middle. */
function around(u, least, most) {
  if (least === null) return [0, 1];
  const room = (most - least) * 0.08 || Math.abs(most) * 0.01 || 1;
  return [least - room, most + room];
}

/** What was won or lost since the first point. */
function change(points) {
  const first = points.find(([, value]) => Number.isFinite(value))?.[1];
  return points.map(([ms, value]) => [ms, Number.isFinite(value) ? value - first : null]);
}

/** From equity to its distance from the highest before, below 0; `before` is the highest before the first point. */
export function fall(points, before) {
  let peak = before;
  return points.map(([ms, value]) => {
    if (!Number.isFinite(value)) return [ms, null];
    peak = Math.max(peak ?? value, value);
    return [ms, value - peak];
  });
}

export function act(name, value, { reload }) {
  if (name !== "range") return;
  range = value;
  reload();
}

export const leave = () => plots.clear();
