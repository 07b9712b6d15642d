// Asks the daemon's JSON API, and knows whether there is contact. Nothing else in the page sends a request.

import { first, request } from "./boot.js";

const SCHEMA = 1;
// A press may wait for another one, and for the journal's disk.
const PRESS_DEADLINE_MS = 15000;
const REMEMBERED_MAX = 24;
const remembered = new Map();
let unused = first;

/** An answer that is an error; `code` is the API's. */
export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * The newest answer of an address. If nothing has changed it is the same object as before: the daemon answers 304.
 * Pages of the past (`before=`) are not remembered.
 */
export async function get(path) {
  const known = remembered.get(path);
  const { status, headers, body, at } = await ask(path, known ? { headers: { "If-None-Match": known.etag } } : {});
  contact.heard(headers.get("Date"), status === 304 ? null : body.now_ms, at);
  if (status === 304) return known.data;
  const etag = headers.get("ETag");
  if (etag && !path.includes("before=")) {
    remembered.delete(path);
    remembered.set(path, { etag, data: body });
    if (remembered.size > REMEMBERED_MAX) remembered.delete(remembered.keys().next().value);
  }
  return body;
}

/** Presses a button. `generation` goes into If-Match. */
export async function post(path, content, generation) {
  const headers = { "Content-Type": "application/json", "X-Sentinel": "1" };
  if (generation !== undefined) headers["If-Match"] = `"${generation}"`;
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(content) })).body;
}

async function ask(path, options) {
  const asked = path === "now" && unused ? unused : request(path, options, options.method === "POST" ? PRESS_DEADLINE_MS : undefined);
  if (asked === unused) unused = null;
  const { answer, body, at } = await asked;
  if (answer.status === 304) return { status: 304, headers: answer.headers, body: null, at };
  contact.isThere = true;
  if (!answer.ok) {
    const { code = "unknown", message = `HTTP ${answer.status}` } = body?.error ?? {};
    throw new Refusal(answer.status, code, message);
  }
  if (body?.schema !== SCHEMA) throw new Refusal(answer.status, "schema", "this page is older or newer than the daemon: reload it");
  return { status: answer.status, headers: answer.headers, body, at };
}

/** When the daemon was last heard, and what its clock says. */
export const contact = {
  misses: 0,
  /** Whether the daemon has ever answered, with data or with an error. */
  isThere: false,
  /** The daemon's words, if its newest answer was an error. */
  refusal: null,
  heardAt: null,
  offset: null,
  /** The same of what only the open view asks. */
  view: { misses: 0, heardAt: null, refusal: null },

  /** An answer came, at this time of the device. Its date corrects the clock, because a device that slept has lost time. */
  heard(date, nowMs, here) {
    this.misses = 0;
    this.refusal = null;
    this.heardAt = here;
    const told = Date.parse(date);
    if (nowMs !== null) this.offset = nowMs - here;
    else if (Number.isFinite(told) && Math.abs(told - here - this.offset) > 2500) this.offset = told - here;
  },

  /** No data came, because of this. */
  missed(error) {
    this.misses += 1;
    this.refusal = error instanceof Refusal ? error.message : null;
  },

  /** A view was opened, or its own data came. */
  viewHeard(heardAt) {
    this.view = { misses: 0, heardAt, refusal: null };
  },

  /** The view's own data did not come. */
  viewMissed(error) {
    this.view.misses += 1;
    this.view.refusal = error.message;
  },

  /** The daemon's time now, unix ms. */
  now() {
    return Date.now() + (this.offset ?? 0);
  },

  /**
   * Why the page may be old: {since, from, why}, or null; without a time `from` says since what. Two missed polls, of the daemon or
   * of the view's own data; silence; or a daemon that answers although the cycle after the last one is long due. A night or a
   * weekend without a due cycle is no such time.
   */
  lost(now, pollMs) {
    const page = "this page was opened", at = (here) => (here === null ? null : here + this.offset);
    if (this.misses >= 2) {
      return { since: at(this.heardAt), from: page, why: this.refusal === null ? "the daemon does not answer" : `the daemon answers, but not with data: ${this.refusal}` };
    }
    // By silence, too: a device that slept has asked nothing, and so has missed nothing.
    if (this.heardAt !== null && Date.now() - this.heardAt > Math.max(15000, 3 * pollMs)) {
      return { since: at(this.heardAt), from: page, why: "the daemon was not heard" };
    }
    if (this.view.misses >= 2) {
      return { since: at(this.view.heardAt), from: "this view was opened", why: `the daemon answers, but this view's data does not come: ${this.view.refusal}` };
    }
    if (!now) return null;
    const ended = now.cycle?.finished_ms ?? now.daemon.started_ms;
    // Without a schedule there is no due time: then by two periods.
    const late = now.due_ms === null ? ended + Math.max(2 * now.period_s * 1000, 15000, 3 * pollMs) : now.due_ms + Math.max(now.step_s * 1000, 15000);
    if (this.now() <= late) return null;
    if (now.cycles_ended) return { since: ended, from: page, why: "all cycles asked for have run" };
    return { since: ended, from: page, why: now.cycle ? "the daemon answers, but no cycle has ended since" : "the daemon answers, but no cycle has ended yet" };
  },
};
