// The only module that the page names: it asks the daemon, and shows the answer's first sentence before anything else is there.
// A slow line brings it, its styles and the answer within a second; then it brings the rest, which uses what is here.

// ---- asking ----

const DEADLINE_MS = 5000;

/** An answer of the API: {answer, body, at}; `body` is null if it is no JSON. */
export async function request(path, options = {}, deadlineMs = DEADLINE_MS) {
  const answer = await fetch(`api/${path}`, { ...options, signal: AbortSignal.timeout(deadlineMs), redirect: "error" });
  return { answer, body: answer.status === 304 ? null : await answer.json().catch(() => null), at: Date.now() };
}

/** The first `now`, for whoever asks for it first. */
export const first = request("now");

// ---- elements: text is only ever set as text, so a hostile name or note stays text ----

const SVG = new Set(["svg", "rect", "line", "path"]);

/** Makes an element: el("p.soft", {title: "…"}, "text", child). False and null attributes and children are left out. */
export function el(what, attributes, ...children) {
  const [tag, ...classes] = what.split(".");
  const node = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style" || name.startsWith("on")) throw new Error(`no ${name} here`);
    node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(node, child);
    else if (child instanceof Node) node.append(child);
    else if (child !== null && child !== undefined && child !== false && child !== "") node.append(String(child));
  }
}

/** A shape and a word; the colour only repeats them. `kind` is good, bad, warn, soft or unknown. */
export function state(kind, text, title) {
  const shape = { good: "✓", bad: "✕", warn: "!", soft: "○", unknown: "?" }[kind];
  return el(`span.state.${kind}`, { title }, el("span.shape", { "aria-hidden": "true" }, shape), " ", text);
}

/** A private window may keep nothing: then a choice lasts as long as the page. */
export const store = {
  read(name) { try { return localStorage.getItem(name); } catch { return null; } },
  write(name, value) { try { localStorage.setItem(name, value); } catch { /* not kept */ } },
};

// ---- the first sentence ----

// Rules that stop the orders of every symbol. Those that `halt` tells at once are not among them.
const STOPS_ALL = new Set(["clock_step", "journal", "not_holder", "handshake", "breaker", "order_limit", "loss_limit", "positions"]);

/** Whether the limit of orders in a row that were not filled is reached: no order is sent until a person resumes. */
export const isLatched = (halt) => halt.failures_max > 0 && halt.failures_in_a_row >= halt.failures_max;

/** The answer to "is it alive?" in one sentence, and what belongs to it. */
export function headline(now, facts = []) {
  const { halt, cycle, health } = now, stop = stoppedBy(now);
  const [kind, words] = halt.is_halted ? ["warn", "Halted: no order is sent"]
    : isLatched(halt) ? ["bad", "Stopped after failed orders: no order is sent until you resume"]
    : health.status === "fail" ? ["bad", "It does not work"]
    : health.status === "degraded" ? ["warn", "Running, but something needs attention"]
    : !cycle ? ["soft", "Starting: the first cycle has not ended"]
    : stop ? ["warn", `Running, but the newest signal was not sent: ${stop.reason}`]
    : ["good", now.daemon.mode === "live" ? "Running, orders are sent" : "Running as a dry run: no order is sent, paper trades"];
  return el(`div.verdict.${kind}`, null, state(kind, words), el("small", null, facts));
}

/** The newest signal, if a rule stopped it that stops every symbol's. */
export function stoppedBy({ symbols }) {
  // A signal that is decided again on an ordered bar says nothing about the next one.
  const signals = symbols.flatMap((it) => [it.signal, it.decision]).filter((d) => d && d.action !== "HOLD" && d.reason !== "already_ordered");
  const newest = Math.max(...signals.map((d) => d.cycle_id));
  return signals.find((d) => d.cycle_id === newest && STOPS_ALL.has(d.reason)) ?? null;
}

/** Live or a dry run, and whose account. */
export function badge({ mode, account }) {
  const at = document.getElementById("mode");
  at.textContent = mode === "live" ? "LIVE" : "DRY RUN";
  at.className = `badge ${mode}`;
  document.getElementById("account").textContent = account ?? "";
}

// ---- the start ----

// A daemon that does not answer must not keep the button away; and what nobody keeps up to date must not look so.
const PATIENCE_MS = 1500, REST_MS = 15000;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
let isThere = false;

async function showFirst() {
  const { answer, body } = await first;
  if (isThere || !answer.ok || body?.schema !== 1 || !["", "#/now"].includes(location.hash)) return;
  badge(body.daemon);
  document.getElementById("view").replaceChildren(headline(body));
}

async function bringRest() {
  const styles = el("link", { rel: "stylesheet", href: new URL("console.css", import.meta.url) });
  // Without its styles it is still a console.
  const styled = new Promise((done) => ["load", "error"].forEach((name) => styles.addEventListener(name, done)));
  document.head.append(styles);
  const [app] = await Promise.all([...["app", "api", "parts", "now"].map((name) => import(`./${name}.js`)), styled]);
  isThere = true;
  app.start();
}

function miss() {
  if (isThere) return;
  const banner = document.getElementById("lost");
  banner.textContent = "no contact since this page was opened: its files do not come. Reload it.";
  banner.hidden = false;
  document.documentElement.dataset.lost = "";
}

const theme = store.read("theme");
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
Promise.race([showFirst().catch(() => {}), wait(PATIENCE_MS)]).then(bringRest).catch(miss);
wait(REST_MS).then(miss);
