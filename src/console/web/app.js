// The page itself: which view is open, when the daemon is asked, and whether what is shown may be believed.

import { contact, get, Refusal } from "./api.js";
import { badge, store } from "./boot.js";
import { el, morphChildren } from "./parts.js";
import * as f from "./parts.js";
import * as nowView from "./now.js";

const POLL_MS = 5000, POLL_LEAST_MS = 1000, POLL_HIDDEN_MS = 60000;

// Only the first view comes with the page; the others when they are opened, so that a slow line shows it sooner. What a view
// imports is asked for with it, not after it.
const together = async (...names) => (await Promise.all(names.map((name) => import(`./${name}.js`))))[0];
const VIEWS = [
  ["now", "Now", async () => nowView],
  ["symbol", "Symbol", () => together("symbol", "candles", "marks", "plot", "zoom")],
  ["orders", "Orders", () => together("orders")],
  ["model", "Model", () => together("model", "plot")],
  ["money", "Money", () => together("money", "plot")],
  ["system", "System", () => together("system")],
];

// The button's own module comes before it is needed: after an update of Sentinel its files are not there any more.
import("./press.js").catch(() => {});

const $ = (id) => document.getElementById(id);
const page = { now: null, name: "now", args: [], view: nowView, data: null, error: null, asked: 0, timer: 0, drawn: "" };

/** What a view gets: the newest `now`, its own data, and what its address says. */
const context = () => ({ now: page.now, data: page.data, error: page.error, args: page.args, get, reload: poll });

// ---- asking ----

function pollMs() {
  if (document.hidden) return POLL_HIDDEN_MS;
  const period = (page.now?.period_s ?? 60) * 1000;
  return Math.min(POLL_MS, Math.max(POLL_LEAST_MS, period));
}

async function poll() {
  clearTimeout(page.timer);
  const turn = ++page.asked;
  try {
    const now = await get("now");
    if (turn !== page.asked) return;
    page.now = now;
    draw();
    await loadView(turn);
  } catch (error) {
    if (turn !== page.asked) return;
    // A refusal is an answer, but one without data: as old as none.
    contact.missed(error);
    page.error = error;
    draw();
  }
  if (turn === page.asked) page.timer = setTimeout(poll, pollMs());
}

async function loadView(turn) {
  const { view } = page;
  if (!view.load) return;
  try {
    const data = await view.load(context());
    if (turn !== page.asked || view !== page.view) return;
    page.data = data;
    page.error = null;
    contact.viewHeard(Date.now());
  } catch (error) {
    if (turn !== page.asked || view !== page.view) return;
    // What is not there any more is not shown any more; whatever else keeps the data away leaves it old.
    if (error instanceof Refusal && error.status === 404) page.data = null;
    else contact.viewMissed(error);
    page.error = error;
  }
  draw();
}

// ---- showing ----

async function open() {
  const [name = "now", ...args] = location.hash.replace(/^#\//, "").split("/").map(decode);
  const known = VIEWS.find(([id]) => id === (name === "order" ? "orders" : name)) ?? VIEWS[0];
  const wanted = { name: known[0], args: name === "order" ? ["one", ...args] : args };
  page.wanted = wanted;
  let view;
  try {
    view = await known[2]();
  } catch {
    // Whether the daemon is there, the polls say. Of another version it has other files.
    page.error = new Error("the files of this view did not come; if Sentinel was updated, reload the page");
    draw();
    return page.asked ? undefined : poll();
  }
  if (page.wanted !== wanted) return;
  if (page.view !== view || page.name !== wanted.name) page.view.leave?.();
  Object.assign(page, wanted, { view, data: null, error: null });
  contact.viewHeard(null);
  window.scrollTo(0, 0);
  draw();
  poll();
}

const decode = (text) => { try { return decodeURIComponent(text); } catch { return text; } };

function draw() {
  const { now } = page;
  drawFrame(now);
  const nodes = now ? page.view.render(context()) : [el("p.soft", null, page.error ? `Not yet: ${page.error.message}` : "Asking the daemon…")];
  const why = page.error && now ? `Not read: ${page.error.message}` : "";
  // Always there: one that comes and goes would move what is below, and take the plots from their hosts.
  const fresh = el("main", null, el("p.trouble", { role: "status", hidden: !why }, why), nodes);
  morphChildren($("view"), fresh);
  plotted(page.view.drawn?.(context()));
  document.documentElement.dataset.view = page.name;
  tickAges();
}

/** A view without its plots still has its text. */
async function plotted(plots) {
  try {
    await plots;
  } catch (error) {
    console.error(error);
    page.error = error;
  }
}

function drawFrame(now) {
  const link = ([id, title], at) =>
    el("a", { href: `#/${id}`, "aria-current": id === page.name ? "page" : null, title: `Key ${at + 1}` }, title);
  morphChildren($("nav"), el("nav", null, VIEWS.map(link)));
  document.title = `${VIEWS.find(([id]) => id === page.name)[1]} · Sentinel`;
  $("zone").textContent = f.zoneName();
  if (!now) {
    // A halt needs nothing that is read before it; the daemon itself refuses a user who only reads.
    $("press").disabled = !contact.isThere;
    return;
  }
  const { daemon, halt, user } = now;
  badge(daemon);
  const press = $("press");
  press.disabled = !user.is_operator || !halt.is_available;
  press.title = !halt.is_available ? "guards.halt_file is not set; sentinel resume ends a stop after failed orders" : user.is_operator ? "" : "this user only reads";
}

/** The ages, and the banner over old data: once a second, also when no answer comes. */
function tickAges() {
  const now = contact.now(), lost = contact.lost(page.now, POLL_MS);
  for (const node of document.querySelectorAll("[data-ago]")) node.textContent = f.age(now - Number(node.dataset.ago));
  for (const node of document.querySelectorAll("[data-until]")) {
    const left = Number(node.dataset.until) - now;
    node.textContent = lost ? "?" : left > 0 ? `in ${f.age(left)}` : "due now";
  }
  document.documentElement.toggleAttribute("data-lost", lost !== null);
  // Old data may say "halted" of a daemon that sends orders again.
  const halt = lost ? null : page.now?.halt;
  $("press").textContent = !halt || !f.isStopped(halt) ? "Halt…" : halt.is_halted ? "Resume…" : "Resume or halt…";
  const text = lost ? `no contact since ${lost.since === null ? lost.from : f.clock(lost.since, now)}: ${lost.why}` : "";
  // Over the view, and in a dialog, which lies over it.
  for (const bar of document.querySelectorAll("[data-banner]")) {
    bar.hidden = lost === null;
    if (bar.textContent !== text) bar.textContent = text;
  }
}

// ---- what a person does ----

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme;
}

const ACTIONS = {
  zone() {
    f.zone.kind = f.zone.kind === "utc" ? "local" : "utc";
    store.write("zone", f.zone.kind);
    restyle();
  },
  theme() {
    const next = THEMES[(THEMES.indexOf($("theme").textContent) + 1) % THEMES.length];
    setTheme(next);
    store.write("theme", next);
    restyle();
  },
  async press() {
    try {
      const { openDialog } = await import("./press.js");
      openDialog(page.now, contact.lost(page.now, POLL_MS) !== null, (now) => { if (page.now) page.now = { ...page.now, halt: now.halt }; draw(); poll(); }, () => poll());
    } catch (error) {
      console.error(error);
      noDialog();
    }
    tickAges();
  },
};

/** Who presses a button and sees nothing believes that it was done. */
function noDialog() {
  const dialog = $("dialog"), close = el("button", { type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(el("h2", { id: "dialog-title" }, "Nothing was done"),
    el("p.trouble", { role: "alert" }, "The files of this button did not come. Reload the page, or type ", el("code", null, "sentinel halt"), " on Sentinel's machine."),
    el("div.buttons", null, close));
  dialog.showModal();
}

function restyle() {
  page.view.restyle?.(context());
  draw();
}

/** Once everything has come. */
export function start() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (!button || button.disabled) return;
    const { act, arg } = button.dataset;
    if (ACTIONS[act]) ACTIONS[act]();
    else page.view.act?.(act, arg, context());
  });
  document.addEventListener("change", (event) => {
    const { act } = event.target.dataset ?? {};
    if (act) page.view.act?.(act, event.target.value, context());
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
    const at = Number(event.key) - 1;
    if (VIEWS[at]) location.hash = `#/${VIEWS[at][0]}`;
    else if (event.key === "h") $("press").focus();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { tickAges(); poll(); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
  addEventListener("hashchange", open);

  setTheme(THEMES.find((theme) => theme === store.read("theme")) ?? "auto");
  setInterval(() => { if (!document.hidden) tickAges(); }, 1000);
  open();
}
