// One symbol: its candles with every signal on them, the odds under them, its open positions, and its signals as a list.

import { Candles, places } from "./candles.js";
import * as f from "./parts.js";
import { hasMark, LEGEND, say } from "./marks.js";
import { el, money, oddsText, section, state, table } from "./parts.js";
import { uPlot } from "./plot.js";

const PAGE = 500, NEWEST = 20, COUNTS = [250, 1000, 5000], LISTED = 40;
const view = { symbol: null, count: 1000, key: null, unresolved: null, digits: 5, intervalS: 3600, bars: [], gaps: [], odds: [], positions: [], told: null, list: [], at: null, chart: null, isLoading: false };

const symbolOf = ({ args, now }) => (now.symbols.some((it) => it.symbol === args[0]) ? args[0] : now.symbols[0]?.symbol ?? null);

/** Everything of a symbol, once; then only what is new, at the close of a bar or when an order changes. */
export async function load(context) {
  const { now, get } = context, symbol = symbolOf(context);
  if (!symbol) return { symbol };
  if (symbol !== view.symbol) reset(symbol);
  const it = now.symbols.find((one) => one.symbol === symbol), { decision: d, signal: s } = it;
  view.digits = it.digits;
  const unresolved = now.unresolved.filter((order) => order.symbol === symbol).map(({ id }) => id).join();
  const key = [view.count, unresolved, d?.bar_close_s, d?.result, d?.order_state, d?.paper_order_id, s?.cycle_id, s?.order_state].join();
  const wanted = view.positions, told = await get("positions");
  view.told = told;
  view.positions = told.rows.filter((row) => row.symbol === symbol);
  if (key !== view.key) {
    const ask = (count) => Promise.all(["bars", "odds"].map((what) => pages(get, `${what}?symbol=${encodeURIComponent(symbol)}`, count)));
    const newest = view.bars.at(-1)?.at;
    // An order of any bar may have been settled.
    const isSettled = view.unresolved !== null && view.unresolved !== unresolved;
    let [bars, odds] = await ask(newest === undefined || isSettled ? view.count : NEWEST);
    if (newest !== undefined && !bars.rows.some(([at]) => at <= newest)) {
      // More bars have closed than were asked for, while nobody looked.
      [bars, odds] = await ask(view.count);
      Object.assign(view, { bars: [], gaps: [], odds: [] });
    }
    if (symbol !== view.symbol) return null;
    merge(bars, odds, now.now_ms);
    view.unresolved = unresolved;
    // The archive may get a bar later than the journal its decision: then it is asked for again at the next poll.
    const isWhole = !d?.bar_close_s || (view.bars.at(-1)?.at ?? 0) >= d.bar_close_s;
    view.key = isWhole ? key : null;
  } else if (same(wanted, view.positions)) return view;
  view.list = places(view.bars, view.gaps, view.odds, view.intervalS);
  view.isNew = true;
  return view;
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function reset(symbol) {
  leave();
  document.getElementById("chart")?.removeAttribute("data-of");
  Object.assign(view, { symbol, key: null, unresolved: null, bars: [], gaps: [], odds: [], list: [], at: null });
}

async function pages(get, path, count) {
  const all = { rows: [], gaps: [], head: null };
  let before = null;
  while (all.rows.length < count) {
    const answer = await get(`${path}&limit=${Math.min(PAGE, count - all.rows.length)}${before === null ? "" : `&before=${before}`}`);
    all.head ??= answer;
    all.rows.push(...answer.rows);
    all.gaps.push(...(answer.gaps ?? []));
    before = answer.next_before;
    if (before === null || !answer.rows.length) break;
  }
  return all;
}

/** A newer answer for a bar replaces the older one. A bar that has not closed yet is never shown, whoever sends it. */
function merge(bars, odds, nowMs) {
  view.intervalS = bars.head.interval_s;
  view.interval = bars.head.interval;
  const newest = new Map(view.bars.map((bar) => [bar.at, bar]));
  for (const [at, open, high, low, close, volume] of bars.rows) if (at * 1000 <= nowMs) newest.set(at, { at, open, high, low, close, volume });
  view.bars = [...newest.values()].sort((a, b) => a.at - b.at).slice(-view.count);
  // A bar may have come late: of this page's time only its own gaps are left.
  const oldest = bars.rows.at(-1)?.[0] ?? Infinity;
  view.gaps = [...new Map([...view.gaps.filter((gap) => gap.from_s < oldest), ...bars.gaps].map((gap) => [gap.from_s, gap])).values()];
  const rows = new Map([...view.odds, ...odds.rows].map((row) => [row.bar_close_s, row]));
  const first = view.bars[0]?.at ?? 0;
  view.odds = [...rows.values()].filter((row) => row.bar_close_s >= first).sort((a, b) => a.bar_close_s - b.bar_close_s);
}

export function render(context) {
  const { now } = context, symbol = symbolOf(context);
  if (!symbol) return el("p", null, "There is no symbol.");
  const isThere = view.symbol === symbol && view.list.length > 0;
  const marked = isThere ? view.list.map((place, at) => [place, at]).filter(([place]) => place.bar && hasMark(place.odds)) : [];
  return [
    el("div.bar", null,
      el("label", null, el("span.hide", null, "Symbol "), select("pick", now.symbols.map((it) => [it.symbol, it.symbol]), symbol)),
      el("label", null, select("count", COUNTS.map((n) => [n, `${n} bars`]), view.count)),
      el("span.group", { role: "group", "aria-label": "Range" },
        [["closer", "+", "Closer"], ["wider", "−", "Wider"], ["older", "◂", "Older"], ["newer", "▸", "Newer"], ["newest", "Newest", null], ["all", "All", null]]
          .map(([act, text, label]) => el("button", { type: "button", "data-act": act, "aria-label": label, title: label, disabled: !isThere }, text)))),
    el("p.readout", { id: "readout", "aria-live": "polite" }, isThere ? readout() : "Reading the bars…"),
    el("div.chart", { tabindex: 0, id: "chart", "data-keep": "chart", role: "group", "aria-label": `Candles and odds of ${symbol}; arrows move along the bars` }),
    el("p.legend", null, LEGEND.map(([shape, words]) => el("span", null, el("b", null, shape), ` ${words}`)), el("span", null, el("b", null, "▨"), " bars missing")),
    el("p.legend", null, [["buy", "BUY"], ["sell", "SELL"], ["hold", "HOLD"], ["edge", "threshold"]].map(([kind, words]) => el(`span.key.${kind}`, null, words)), el("span", null, `times: ${f.zoneName()}, a bar by its close`)),
    section("Open positions", asTold(now), positions()),
    section(`Signals${marked.length > LISTED ? `, the last ${LISTED} of ${marked.length}` : ""}`, signals(marked)),
  ];
}

const select = (act, options, chosen) =>
  el("select", { "data-act": act, "aria-label": act === "pick" ? "Symbol" : "How many bars" }, options.map(([value, text]) => el("option", { value, selected: String(value) === String(chosen) }, text)));

/** The bar under the cursor, else the newest. */
function readout() {
  const at = view.at ?? lastBar(), place = view.list[at];
  if (!place?.bar) return "";
  const { bar, odds } = place, price = (value) => f.fixed(value, view.digits);
  return [el("b", null, f.moment(bar.at * 1000)), ` open ${price(bar.open)} high ${price(bar.high)} low ${price(bar.low)} close ${price(bar.close)} `,
    el("span.said", null, odds ? `${oddsText(odds)} · ${say(odds, view.digits)}` : "no decision on this bar")];
}

const lastBar = () => view.list.findLastIndex(({ bar }) => bar);

/** How old the live ones are: the gateway is asked only now and then. */
function asTold({ daemon, now_ms: at }) {
  if (!view.told || daemon.mode !== "live") return null;
  const { seen_ms: seen, trouble, rows, total } = view.told;
  return [trouble && el("p.trouble", { role: "status" }, `Not up to date: ${trouble}`),
    el("p.soft", null, seen === null ? "The gateway has not listed its positions yet." : `The live ones as reported ${f.moment(seen, at)}.`, total > rows.length && ` Of all symbols the first ${rows.length} of ${total}.`)];
}

function positions() {
  const row = (p) => [p.ledger, `${p.side} ${f.plain(p.volume)}`, f.fixed(p.open_price, view.digits), f.fixed(p.current_price, view.digits),
    p.stop_loss ? f.fixed(p.stop_loss, view.digits) : "none", p.take_profit ? f.fixed(p.take_profit, view.digits) : "none", money(p.profit, true),
    [p.state === "unknown" ? state("unknown", "unknown") : "open", p.order_id ? null : el("small", null, "not Sentinel's order")]];
  const columns = [["Ledger", "name"], ["Side, lots", "mark"], ["Opened at", "n"], ["Now", "n"], ["SL", "n"], ["TP", "n"], ["Profit", "n"], ["State", "mark"]];
  return table(columns, view.positions.map(row), "None.");
}

function signals(marked) {
  const row = ([{ bar, odds }, at]) => ({
    attributes: { "data-mark": odds.mark },
    cells: [el("button.link", { type: "button", "data-act": "show", "data-arg": at }, f.moment(bar.at * 1000)),
      say(odds, view.digits), oddsText(odds),
      [odds.order_id && el("a", { href: `#/order/${encodeURIComponent(odds.order_id)}` }, "order"), " ",
        odds.paper?.order_id && el("a", { href: `#/order/${encodeURIComponent(odds.paper.order_id)}` }, "◆ paper")]],
  });
  return table([["Bar", "mark"], ["What became of it", "long"], ["Odds", "mark"], ["Order", "mark"]], marked.slice(-LISTED).reverse().map(row), "No BUY or SELL on these bars.", "brief");
}

/** After the page was updated: makes the plots, or gives them what is new. */
export async function drawn(context) {
  const host = document.getElementById("chart");
  if (!host || view.symbol !== symbolOf(context) || !view.list.length) return;
  if (view.chart && host.dataset.of === view.symbol) {
    if (view.isNew) view.chart.set(view.list, view.positions);
    view.isNew = false;
    return;
  }
  if (view.isLoading) return;
  view.isLoading = true;
  try {
    const Plot = await uPlot(host);
    if (!host.isConnected) return;
    const hosts = [el("div.candles"), el("div.odds-plot")], tip = el("div.tip", { hidden: true });
    host.replaceChildren(...hosts, tip);
    host.dataset.of = view.symbol;
    listen(host);
    view.tip = tip;
    view.isNew = false;
    view.chart = new Candles(Plot, hosts, { digits: view.digits, onCursor });
    view.chart.set(view.list, view.positions);
  } finally {
    view.isLoading = false;
  }
}

function onCursor(at) {
  if (view.at === at) return;
  view.at = at;
  const line = document.getElementById("readout");
  if (line) line.replaceChildren(...[readout()].flat());
  showTip(at);
}

/** Beside the mark, what it says. */
function showTip(at) {
  const { tip, chart } = view, place = at === null ? null : view.list[at];
  tip.hidden = !place?.bar || !hasMark(place.odds);
  if (tip.hidden) return;
  tip.textContent = say(place.odds, view.digits);
  const [plot] = chart.plots, x = plot.valToPos(at, "x"), isRight = x > plot.over.clientWidth / 2;
  tip.style.left = isRight ? "" : `${x + 14}px`;
  tip.style.right = isRight ? `${plot.width - x + 14}px` : "";
}

function listen(host) {
  if (host.dataset.listens) return;
  host.dataset.listens = "yes";
  host.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -24, PageDown: 24 }[event.key];
    if (event.key === "Escape") { view.at = null; view.chart?.plots[0]?.setCursor({ left: -10, top: -10 }); return; }
    if (!step || !view.chart) return;
    event.preventDefault();
    const isBar = (at) => view.list[at]?.bar;
    let at = Math.min(Math.max((view.at ?? lastBar() + (step < 0 ? 1 : 0)) + step, 0), view.list.length - 1);
    if (!isBar(at)) at += Math.sign(step);
    if (isBar(at)) view.chart.point(at);
  });
}

export function act(name, value, context) {
  const { chart } = view, width = chart ? chart.range[1] - chart.range[0] : 0;
  if (name === "pick") location.hash = `#/symbol/${encodeURIComponent(value)}`;
  else if (name === "count") { const { symbol } = view; view.count = Number(value); reset(symbol); context.reload(); }
  else if (!chart) return;
  else if (name === "closer") chart.zoom(0.6);
  else if (name === "wider") chart.zoom(1 / 0.6);
  else if (name === "older") chart.pan(-width * 0.6);
  else if (name === "newer") chart.pan(width * 0.6);
  else if (name === "newest") chart.show(chart.newest());
  else if (name === "all") chart.show(chart.all());
  else if (name === "show") { chart.point(Number(value)); document.getElementById("chart").scrollIntoView({ block: "nearest" }); }
}

export function restyle() {
  const { chart } = view;
  if (!chart) return;
  const { range } = chart;
  chart.plots.forEach((plot) => plot.destroy());
  chart.plots = [];
  chart.build();
  chart.show(range);
}

export function leave() {
  view.chart?.destroy();
  Object.assign(view, { chart: null, symbol: null });
}
