// The only two things that the console can do: halt, with a reason; resume, with the account's id typed.

import { post } from "./api.js";
import { el } from "./parts.js";
import * as f from "./parts.js";

const DRY_RUN = "dry-run";
const dialog = document.getElementById("dialog");

/**
 * Opens the dialog for the state that the page shows; if that is old, `isOld`, a halt comes first. `done` gets the new state, `stale` is called if it was an old one.
 * `halts`: whether it is the one that halts, if the other is possible, too.
 */
export function openDialog(now, isOld, done, stale, halts = isOld) {
  const halt = now?.halt, account = now?.daemon.account ?? DRY_RUN;
  // Of a daemon whose state was never read only a halt is possible. What was read long ago must not keep anyone from one:
  // somebody may have resumed since.
  const wasStopped = now !== null && f.isStopped(halt);
  const isStopped = wasStopped && !halts;
  const message = el("p.trouble", { role: "alert", hidden: true });
  const input = isStopped
    ? el("input", { id: "typed", autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: 200, required: true })
    : el("input", { id: "typed", autocomplete: "off", maxlength: 200, required: true, placeholder: "news at 15:30" });
  const button = el("button", { type: "submit", class: isStopped ? "primary" : "danger" }, isStopped ? "Resume" : "Halt now");
  const close = el("button", { type: "button" }, "Cancel");
  // Failed orders stop the rest only until somebody resumes; a halt stays.
  const other = wasStopped && (halts || !halt.is_halted) && el("button", { type: "button" }, halts ? "Resume…" : "Halt…");
  if (other) other.addEventListener("click", () => { dialog.close(); openDialog(now, isOld, done, stale, !halts); });
  const banner = el("p.lost", { role: "alert", "data-banner": true, hidden: true });
  const form = el("form", null, banner, isStopped ? resumeText(halt, account) : haltText(now), input, message, el("div.buttons", null, button, other, close));
  const check = () => { button.disabled = isStopped ? input.value.trim() !== account : !input.value.trim(); };
  input.addEventListener("input", check);
  close.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    const typed = input.value.trim();
    try {
      const told = isStopped ? await post("resume", { account: typed }, halt.generation) : await post("halt", { reason: typed });
      done(told);
      const doubts = told.doubts.map((text) => ` But ${text}.`).join("");
      if (now !== null && !isOld && !doubts) return dialog.close();
      // The page behind does not show it.
      message.hidden = false;
      message.textContent = `${isStopped ? "Resumed." : "Halted: no order is sent."}${doubts}`;
      close.textContent = "Close";
    } catch (error) {
      message.hidden = false;
      message.textContent = error.status === 412
        ? "Nothing was done: somebody has halted or resumed, or orders have failed, since this page was read. The page is read again; look at it, then decide."
        : `Not known to be done: ${error.message}. Look at the state above.`;
      stale();
      if (error.status !== 412) check();
    }
  });
  dialog.replaceChildren(form);
  check();
  dialog.showModal();
  input.focus();
}

function haltText(now) {
  return [
    el("h2", { id: "dialog-title" }, "Halt"),
    el("p", null, now?.daemon.mode !== "dry_run"
      ? "From now on no order is sent, and Sentinel closes no position. Open positions and their stops at the broker stay."
      : "From now on no order is sent. This is a dry run: paper orders stop, too."),
    el("label", { for: "typed" }, "Reason"),
  ];
}

function resumeText(halt, account) {
  const by = halt.who ? `by ${halt.who}` : "by the kill switch's file";
  return [
    el("h2", { id: "dialog-title" }, "Resume"),
    halt.is_halted && el("p", null, `Halted ${by}`, halt.since_ms ? ` since ${f.moment(halt.since_ms)}` : null, halt.reason ? `: ${halt.reason}` : null),
    f.isLatched(halt) && el("p", null, `${halt.failures_in_a_row} orders in a row were not filled. Find out why first.`),
    el("p", null, "Orders are sent again, and the count of failed orders in a row begins anew."),
    el("label", { for: "typed" }, "Type the account ", el("code", null, account)),
  ];
}
