"""The console's page in real Chromium, on a wide screen and on a phone, against a fake daemon that serves the page's own files under
the real policy and an API of the contract's shape."""

import gzip
import hashlib
import json
import re
import time

import pytest

from parts.chromium import SLOW_3G, Browser, show
from parts.console_contract import POLICY, differences, examples, nullable
from parts.console_fake import WEB, ConsoleFake, as_sent
from parts.console_world import World, money
from parts.daemon import wait_until
from parts.requirements import require

PAGE = "/console/"
VIEWS = ["now", "symbol/EURUSD", "orders", "orders/paper", "model", "money", "system"]
ASSETS_MAX = 60_000
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
# The page draws a chart of so many pixels at once; counted are the marks of all bars.
ALL_BARS = "button[data-act=all]"


@pytest.fixture(scope="module")
def fake():
    """A healthy daemon that nobody changes."""
    fake = ConsoleFake()
    yield fake
    fake.close()


@pytest.fixture
def own():
    """A daemon that the test may change."""
    fake = ConsoleFake()
    yield fake
    fake.close()


def browser_of(width: int, **more):
    """A fixture's browser, for all tests of this file."""
    require("chromium", "chromedriver")
    browser = Browser(width, 900 if width > 600 else 740, is_touch=width < 600, **more)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def wide():
    yield from browser_of(1280)


@pytest.fixture(scope="module")
def phone():
    yield from browser_of(360)


@pytest.fixture(scope="module")
def dark():
    yield from browser_of(360, is_dark=True)


# ---- what is shown ----


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("screen", ["wide", "phone", "dark"])
def test_each_view_fits_and_breaks_no_policy(fake, screen, view, request):
    browser = request.getfixturevalue(screen)
    browser.open(fake.url + PAGE)
    browser.go(view)
    if view.startswith("symbol"):
        browser.find(".candles[data-bars]")
    wait_until(
        "the plots are drawn",
        lambda: browser.run("return [...document.querySelectorAll('.plot')].every((it) => it.querySelector('canvas'))"),
    )
    browser.picture(f"{view.replace('/', '-')}-{screen}")
    room = browser.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert room[0] <= room[1], browser.sticks_out()
    assert browser.sticks_out() == []
    assert browser.complaints() == []
    shown = browser.text()
    assert not re.search(r"NaN|undefined|\[object|Infinity", shown), shown


def test_the_first_view_answers_a_minutes_questions(fake, phone):
    phone.open(fake.url + PAGE, "table")
    shown = phone.text()
    for part in [
        "LIVE",
        "12345678",
        "Running, but something needs attention",
        "last cycle",
        "next in",
        "Unknown order",
        "no reply within 5 s",
        "Live, realised",
        "Paper, open",
        "−3.10 USD",
        "EURUSD",
        "BUY sent: filled",
    ]:
        assert part in shown, shown


def test_the_plots_of_equity_know_no_deposit_as_profit(fake, wide):
    wide.open(fake.url + PAGE)
    curve = {
        "columns": ["at_ms", "equity", "balance", "unexplained"],
        "rows": [[1, 10_000, 10_000, 0], [2, 15_010, 15_010, 5_000], [3, None, 15_010, 5_000], [4, 9_990, 9_990, 0]],
    }
    drawn = "return import(new URL('money.js', location.href)).then((it) => it.earned(arguments[0]))"
    assert wide.run(drawn, curve) == [[1, 10_000], [2, 10_010], [3, None], [4, 9_990]]


def test_a_range_below_an_older_peak_is_drawn_below_it(fake, wide):
    wide.open(fake.url + PAGE)
    script = "return import(new URL('money.js', location.href)).then((it) => it.fall(...arguments))"
    day = [[1, 9_990], [2, None], [3, 10_000]]
    assert wide.run(script, day, 10_050) == [[1, -60], [2, None], [3, -50]]
    assert wide.run(script, day, None) == [[1, 0], [2, None], [3, 0]]
    drawn = labels_of(wide, fake, "day", {"peak_before": 20_000.0})
    assert [it for it in drawn if re.fullmatch("−[0-9]{4,5}", it)], f"the view draws from it: {drawn}"


def labels_of(browser, fake, range_: str, live: dict) -> list[str]:
    """What the plots of Money write on their axes, with these fields of the live curve."""
    change = lambda path, answer: answer | {"live": answer["live"] | live, "paper": None} if path == "equity" else answer
    own = ConsoleFake(fake.world)
    own.world.change = change
    try:
        browser.open(own.url + PAGE)
        browser.run(WRITTEN)
        browser.go("money")
        browser.find(f"button[data-arg={range_}]").click()
        browser.find("[data-keep=drawdown-live] canvas")
        return browser.run("return window.written")
    finally:
        own.world.change = None
        own.close()


WRITTEN = """window.written = [];
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) { window.written.push(text); return write.call(this, text, ...rest); };"""


def test_days_of_cents_have_cents_on_their_axis(own, wide):
    def of_cents(path, answer):
        if path == "money":
            for number, day in enumerate(answer["days"]):
                day |= {"live": money(0.3 * (number % 3)), "paper": money(0.2)}
        return answer

    own.world.change = of_cents
    wide.open(own.url + PAGE)
    wide.go("money")
    wide.find("[data-keep=days] canvas")
    # Only the plot of days is drawn again.
    wide.run(WRITTEN)
    wide.run("document.querySelector('#theme').click()")
    wait_until("it is drawn", lambda: "0.2" in wide.run("return window.written"))
    wide.picture("days-of-cents-wide")


def test_a_curve_ends_with_what_was_reported_last(fake, wide):
    wide.open(fake.url + PAGE)
    wide.go("money")
    wide.find("[data-keep=days] canvas")
    script = """return import(new URL('plot.js', location.href)).then(({ lines }) => {
      let drawn;
      class Plot { constructor(options, data) { drawn = data; } }
      Object.assign(Plot, { join: uPlot.join, paths: uPlot.paths });
      lines(Plot, document.body, 100, { series: arguments[0].map((points) => ({ name: "", colour: "buy", points })), range: null });
      return drawn;
    })"""
    live, paper = [[1_000, 5], [3_000, 6]], [[1_000, 1], [2_000, 2], [4_000, 3], [5_000, 4]]
    assert wide.run(script, [live, paper]) == [[1, 2, 3, 4, 5], [5, 5, 6, None, None], [1, 2, 2, 3, 4]]


def test_an_unknown_sum_stays_unknown(fake, wide):
    wide.open(fake.url + PAGE)
    wide.go("money")
    wide.shows("XAUUSD has no contract_size")
    assert "no signal has ended on both sides" in wide.text()
    assert "What the gateway reports after a cycle is here after the next one." in wide.text()
    month = wide.run(
        "return [...document.querySelectorAll('tr')].find((it) => it.innerText.startsWith('This month')).innerText"
    )
    assert "?" in month and "0.00" not in month


def test_the_model_view_says_which_model_and_since_when(own, wide):
    wide.open(own.url + PAGE)
    wide.go("model")
    wide.shows("28 Nov 2025 03:20 UTC", "main")
    assert "the server does not say which version" in wide.text("main")
    own.world.change = lambda path, answer: answer | {"since_ms": None} if path == "model" else answer
    own.world.generation += 1
    wide.shows("no odds yet", "main", 20)


def test_marks_are_those_of_the_journal(fake, wide):
    wide.open(fake.url + PAGE + "#/symbol/EURUSD", ".candles[data-bars]")
    wide.find(ALL_BARS).click()
    world, bars = fake.world, {bar[0] for bar in fake.world.bars["EURUSD"][:1_000]}
    rows = [row for row in world.odds["EURUSD"] if row["bar_close_s"] in bars]
    wanted = {
        kind: sum(row["mark"] == kind and row["action"] != "HOLD" for row in rows)
        for kind in ("sent", "suppressed", "unknown", "refused")
    }
    wanted["paper"] = sum(row["paper"] is not None and row["paper"]["mark"] == "sent" for row in rows)
    assert min(wanted.values()) > 2, "every kind of mark is in the script"
    wait_until("all bars are drawn", lambda: counts(wide)["bars"] == 1_000)
    drawn = counts(wide)
    assert {kind: drawn[kind] for kind in wanted} == wanted
    assert drawn["gaps"] == 1


def counts(browser) -> dict[str, int]:
    """What the chart has drawn in its range."""
    found = browser.run("return {...document.querySelector('.candles').dataset}")
    return {name: int(value) for name, value in found.items()}


def test_a_forming_bar_is_never_drawn(own, wide):
    newest = own.world.bars["EURUSD"][0]
    closes_later = int(time.time()) + 1_800
    own.world.extra_bars["EURUSD"] = [[closes_later, *newest[1:]]]
    wide.open(own.url + PAGE + "#/symbol/EURUSD", ".candles[data-bars]")
    wide.find(ALL_BARS).click()
    # Of a thousand rows that came, one is of a bar that has not closed.
    wait_until("all bars but that one are drawn", lambda: counts(wide)["bars"] == 999)
    assert time.strftime("%H:%M UTC", time.gmtime(closes_later)) not in wide.text("#readout")


def test_a_pointed_at_mark_says_its_reason(fake, wide):
    wide.open(fake.url + PAGE + "#/symbol/EURUSD", ".candles[data-bars]")
    row = next(row for row in fake.world.odds["EURUSD"] if row["mark"] == "suppressed")
    name = time.strftime("%-d %b %H:%M UTC", time.gmtime(row["bar_close_s"]))
    # From the list, which the keyboard reaches, too.
    wide.run(
        "[...document.querySelectorAll('button[data-act=show]')].find((it) => it.innerText === arguments[0]).click()", name
    )
    wide.shows(f"{row['action']}, not sent: {row['reason']}: {row['rule']}", ".tip")
    wide.shows(row["reason"], "#readout")
    mark, beside, top = places(wide)
    for x, is_shown in ((beside, False), (mark, True), (beside, False), (mark, True), (None, False)):
        move(wide, x, top)
        shows_tip(wide, row["reason"] if is_shown else None)


def test_a_tapped_mark_says_its_reason(fake, phone):
    phone.open(fake.url + PAGE + "#/symbol/EURUSD", ".candles[data-bars]")
    row = next(row for row in fake.world.odds["EURUSD"] if row["mark"] == "suppressed")
    name = time.strftime("%-d %b %H:%M UTC", time.gmtime(row["bar_close_s"]))
    phone.run(
        "[...document.querySelectorAll('button[data-act=show]')].find((it) => it.innerText === arguments[0]).click()", name
    )
    shows_tip(phone, row["reason"])
    mark, beside, top = places(phone)
    for x, is_shown in ((beside, False), (mark, True), (beside, False), (mark, True)):
        phone.command("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": top, "id": 1}])
        phone.command("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        # Two taps at once are a double tap.
        time.sleep(0.6)
        shows_tip(phone, row["reason"] if is_shown else None)
    phone.picture("tapped-phone")


def places(browser) -> tuple[float, float, float]:
    """Of the mark under the cursor: where it is, where the nearest older bar without one is, and a height; in the window."""
    cursor = "return document.querySelector('.candles .u-cursor-x').getBoundingClientRect().right - 0.5"
    mark = browser.run(cursor)
    browser.run("document.getElementById('chart').focus()")
    for _ in range(40):
        browser.press("\ue012")
        if browser.run("return document.querySelector('.tip').hidden"):
            break
    beside = browser.run(cursor)
    assert beside < mark - 3, "there is a bar without a mark"
    return mark, beside, browser.run("return document.querySelector('.candles .u-over').getBoundingClientRect().top") + 40


def move(browser, x: float | None, y: float):
    """The mouse, to a place of the chart; None: away from it."""
    x, y = (x, y) if x is not None else (5, 5)
    browser.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


def shows_tip(browser, part: str | None):
    """Waits until the tip has this in it, or, for None, is gone."""
    if part is None:
        wait_until("the tip is gone", lambda: browser.run("return document.querySelector('.tip').hidden"))
    else:
        browser.shows(part, ".tip:not([hidden])")


def test_a_new_bar_leaves_the_cursor_on_its_bar(own, wide):
    wide.open(own.url + PAGE + "#/symbol/EURUSD", ".candles[data-bars]")
    wide.run("document.querySelector('button[data-act=show]').click()")
    name = wide.text("button[data-act=show]")
    wide.shows(name, "#readout")
    assert wide.run("return [...document.querySelectorAll('.u-cursor-x')].every((it) => it.getBoundingClientRect().left > 50)")
    for _ in range(3):
        newest = own.world.bars["EURUSD"][0]
        own.world.bars["EURUSD"].insert(0, [newest[0] + 60, *newest[1:]])
        own.world.odds["EURUSD"].insert(0, own.world.odds["EURUSD"][0] | {"bar_close_s": newest[0] + 60})
        own.world.generation += 1
    bars = own.asked["/console/api/bars"]
    wait_until("the new bars", lambda: own.asked["/console/api/bars"] > bars, 20)
    time.sleep(0.5)
    assert wide.text("#readout").startswith(name), wide.text("#readout")


@pytest.mark.long
def test_only_new_bars_are_asked_for(own, wide):
    wide.open(own.url + PAGE + "#/symbol/EURUSD", ".candles[data-bars]")
    before = own.asked["/console/api/bars"]
    own.world.generation += 1
    polls = own.asked["/console/api/now"]
    wait_until("two polls", lambda: own.asked["/console/api/now"] >= polls + 2, 20)
    assert own.asked["/console/api/bars"] == before == 2
    close = own.world.bars["EURUSD"][0][0] + 60
    own.world.bars["EURUSD"].insert(0, [close, *own.world.bars["EURUSD"][0][1:]])
    own.world.odds["EURUSD"].insert(0, own.world.odds["EURUSD"][0] | {"bar_close_s": close})
    own.world.generation += 1
    wait_until("the new bar was asked for", lambda: own.asked["/console/api/bars"] > before, 20)
    polls = own.asked["/console/api/now"]
    wait_until("one more poll", lambda: own.asked["/console/api/now"] > polls, 20)
    assert own.asked["/console/api/bars"] == before + 1, "the newest, not all of them again"


def test_a_bar_that_comes_after_its_decision_is_drawn(own, wide):
    late = own.world.bars["EURUSD"].pop(0)
    wide.open(own.url + PAGE + "#/symbol/EURUSD", ".candles[data-bars]")
    name = time.strftime("%H:%M UTC", time.gmtime(late[0]))
    assert name not in wide.text("#readout")
    own.world.bars["EURUSD"].insert(0, late)
    own.world.generation += 1
    wide.shows(name, "#readout", 20)


def test_a_settled_order_and_a_late_bar_change_the_chart(own, wide):
    world = own.world
    bars, odds = world.bars["EURUSD"], world.odds["EURUSD"]
    late = bars.pop(5)
    world.gap = {"from_s": bars[5][0], "until_s": bars[4][0], "missing": 1}
    old = next(row for row in odds[60:900] if row["mark"] == "unknown" and row["action"] != "HOLD")
    order = next(order for order in world.orders["live"] if order["id"] == old["order_id"])
    for other in world.orders["live"]:
        if other["state"] == "unknown" and other is not order:
            other["state"] = "rejected"
    wide.open(own.url + PAGE + "#/symbol/EURUSD", ".candles[data-bars]")
    wide.find(ALL_BARS).click()
    wait_until("all bars are drawn", lambda: counts(wide)["bars"] == 1_000)
    before = counts(wide)
    assert before["gaps"] == 1
    # A person has found it in the terminal: far more than the newest bars ago.
    old |= {"mark": "sent", "reason": None, "price": old["close"]}
    order |= {"state": "filled", "reason": None}
    bars.insert(5, late)
    world.gap = {"from_s": 0, "until_s": -1, "missing": 0}
    world.generation += 1
    healed = {"unknown": before["unknown"] - 1, "sent": before["sent"] + 1, "gaps": 0}
    wait_until(f"the chart has {healed}", lambda: counts(wide).items() >= healed.items(), 20)


def test_what_has_not_changed_is_not_sent_again(own, wide):
    own.world.is_frozen = True
    wide.open(own.url + PAGE)
    wait_until("the view's own question", lambda: own.asked.get("/console/api/decisions"))
    wait_until("a poll that brings nothing", lambda: own.unchanged >= 2, 20)
    assert own.asked["/console/api/now"] + own.asked["/console/api/decisions"] == 2 + own.unchanged


# ---- old data ----


def test_a_daemon_that_stops_leaves_no_live_data(own, wide):
    wide.open(own.url + PAGE)
    assert wide.text("#lost") == ""
    own.is_silent = True
    wide.shows("no contact since", "#lost", 25)
    assert re.search(r"no contact since \d\d:\d\d:\d\d UTC: the daemon does not answer", wide.text("#lost"))
    assert float(wide.run("return getComputedStyle(document.querySelector('main')).opacity")) < 0.7
    assert "in " not in wide.text("[data-until]"), "nothing counts down to a cycle that may never come"
    wide.picture("no-contact-wide")
    for view in VIEWS[1:]:
        wide.run("location.hash = arguments[0]", f"#/{view}")
        wide.shows("no contact since", "#lost")
    wide.run("location.hash = '#/now'")
    own.is_silent = False
    wait_until("the banner is gone", lambda: wide.text("#lost") == "", 25)
    assert float(wide.run("return getComputedStyle(document.querySelector('main')).opacity")) == 1


def test_a_frozen_cycle_is_no_contact(own, phone):
    own.world.is_frozen = True
    own.world.cycle_ms = int(time.time() * 1_000) - 119_000
    phone.open(own.url + PAGE)
    ended = time.strftime("%H:%M:%S", time.gmtime((own.world.cycle_ms + 420) / 1_000))
    # Just after midnight it has a date.
    phone.shows(f"{ended} UTC: the daemon answers, but no cycle has ended since", "#lost", 20)
    phone.picture("frozen-phone")
    own.world.is_frozen = False
    own.world.generation += 1
    wait_until("the banner is gone", lambda: phone.text("#lost") == "", 25)


def test_a_night_without_a_due_cycle_is_no_silence(own, wide):
    now_ms = int(time.time() * 1_000)
    own.world.is_frozen, own.world.cycle_ms = True, now_ms - 10 * 3_600_000
    due = [now_ms + 2 * 86_400_000]
    own.world.change = lambda path, answer: answer | {"due_ms": due[0], "period_s": 3_600.0} if path == "now" else answer
    wide.open(own.url + PAGE)
    wide.shows("last cycle 10 h")
    time.sleep(2)
    assert wide.text("#lost") == ""
    # On Monday it is not there: by more than one usual step.
    due[0] = now_ms - 55_000
    own.world.generation += 1
    polls = own.asked["/console/api/now"]
    wait_until("it is read", lambda: own.asked["/console/api/now"] > polls, 20)
    wide.shows("the daemon answers, but no cycle has ended since", "#lost", 20)
    assert time.time() * 1_000 > due[0] + 60_000, "not before its time"


@pytest.mark.long
@pytest.mark.parametrize(
    "refusal", [(503, "journal", "the journal cannot be read"), (429, "busy", "too many passwords are being checked; ask again")]
)
def test_a_view_whose_data_does_not_come_is_no_contact(own, wide, refusal):
    wide.open(own.url + PAGE)
    wide.go("money")
    own.refused, own.refusal = {"money"}, refusal
    own.world.generation += 1
    wide.shows(f"this view's data does not come: {refusal[2]}", "#lost", 25)
    assert re.search(r"no contact since \d\d:\d\d:\d\d UTC", wide.text("#lost"))
    polls = own.asked["/console/api/now"]
    wait_until("answers to the page's own question", lambda: own.asked["/console/api/now"] > polls + 1, 20)
    assert "does not come" in wide.text("#lost"), "they say nothing of the view"
    wide.run("location.hash = '#/orders'")
    wait_until("another view is not old", lambda: wide.text("#lost") == "", 10)
    wide.run("location.hash = '#/money'")
    wide.shows("no contact since this view was opened", "#lost", 25)


@pytest.mark.long
def test_an_open_dialog_says_no_contact_too(own, wide):
    wide.open(own.url + PAGE)
    wide.find("#press:enabled").click()
    wide.find("#typed")
    own.is_silent = True
    wide.shows("no contact since", "dialog .lost", 25)
    wide.picture("no-contact-dialog-wide")
    own.is_silent = False
    wait_until("it is gone", lambda: wide.text("dialog .lost") == "", 25)


def test_positions_and_open_profit_say_their_age(own, wide):
    trouble = "the gateway does not answer: no reply within 5 s"
    seen = int(time.time() * 1_000) - 3 * 3_600_000

    def old(path, answer):
        if path == "positions":
            answer |= {"seen_ms": seen, "trouble": trouble}
        if path == "now":
            answer["today"]["live"] |= {"seen_ms": seen, "open": money(None, None, None, trouble)}
        return answer

    own.world.change = old
    wide.open(own.url + PAGE)
    name = time.strftime("%H:%M UTC", time.gmtime(seen / 1_000))
    wide.shows(trouble, ".tiles")
    tile = wide.run("return [...document.querySelectorAll('.tile')].find((it) => it.innerText.startsWith('Live, open')).innerText")
    assert "?" in tile and "as reported" in tile and name in tile, tile
    wide.go("symbol/EURUSD")
    wide.shows(f"Not up to date: {trouble}", "main")
    wide.shows("The live ones as reported", "main")
    assert name in wide.text("main")
    wide.picture("positions-old-wide")


@pytest.mark.parametrize("screen", ["wide", "phone"])
def test_old_money_is_not_shown_as_money_of_now(own, screen, request):
    browser, trouble = request.getfixturevalue(screen), "the gateway has told nothing since 2025-11-26 14:00:00 UTC"
    seen = int(time.time() * 1_000) - 2 * 86_400_000

    def old(path, answer):
        if path == "money":
            answer["account"] |= {"seen_ms": seen, "trouble": trouble}
        if path == "equity":
            rows = [row for row in answer["live"]["rows"] if row[0] <= seen]
            answer["live"] |= {"seen_ms": seen, "rows": rows}
            answer["trouble"] = trouble
        return answer

    own.world.change = old
    browser.open(own.url + PAGE)
    browser.go("money")
    browser.shows(f"Not up to date: {trouble}", "main div .trouble")
    name = time.strftime("%-d %b %H:%M UTC", time.gmtime(seen / 1_000))
    tiles = browser.run(
        "return [...document.querySelectorAll('.tile')].map((it) => [it.innerText, it.querySelector('b .soft') !== null])"
    )
    for title, is_old in (("Balance", True), ("Equity", True), ("Live: drawdown", True), ("Paper: drawdown", False)):
        text, is_grey = next((text, is_grey) for text, is_grey in tiles if text.startswith(title))
        assert (is_grey, f"reported {name}" in text) == (is_old, is_old), text
    browser.find("[data-keep=equity-live] canvas")
    browser.picture(f"money-old-{screen}")
    assert browser.sticks_out() == []
    own.world.change = None
    own.world.generation += 1
    wait_until("it is up to date", lambda: "Not up to date" not in browser.text("main"), 20)
    assert browser.run("return document.querySelector('.tile b .soft')") is None


def test_a_decision_of_an_earlier_cycle_has_its_time(own, wide):
    own.world.is_frozen = True
    own.world.cycle_ms = int(time.time() * 1_000)
    older = own.world.cycle_ms - 7_200_000

    def of_before(path, answer):
        if path == "now":
            answer["symbols"][1]["decision"]["cycle_id"] = older
        return answer

    own.world.change = of_before
    wide.open(own.url + PAGE)
    rows = wide.run("return [...document.querySelectorAll('main section:nth-of-type(2) tbody tr')].map((it) => it.innerText)")
    said = "at " + time.strftime("%H:%M:%S UTC", time.gmtime(older / 1_000))
    said = said if older // 86_400_000 == own.world.cycle_ms // 86_400_000 else said.removeprefix("at ")
    assert [said in row for row in rows] == [False, True, False], rows
    wide.picture("older-decision-wide")


def test_what_an_answer_has_no_room_for_is_counted(own, wide):
    def cut(path, answer):
        if path == "now":
            answer["symbols_total"] = 501
            like = answer["unresolved"][0]
            answer["unresolved"] = [like | {"id": f"{like['id'][:-3]}{number:03}"} for number in range(50)]
            answer["health"]["checks"][-1]["detail"] = "61 of unknown outcome block their symbols"
        if path == "positions":
            answer["total"] = 700
        return answer

    own.world.change = cut
    wide.open(own.url + PAGE)
    wide.shows("The first 3 of 501; the others: sentinel explain", "main")
    wide.shows("61 of unknown outcome", ".waiting")
    wide.go("symbol/EURUSD")
    shown = len(own.world.positions({})["rows"])
    wide.shows(f"Of all symbols the first {shown} of 700.", "main")


def test_a_position_that_is_not_listed_is_unknown(own, wide):
    seen = int(time.time() * 1_000) - 3_600_000

    def unlisted(path, answer):
        if path == "now":
            answer["symbols"][0] |= {"positions_live": 0, "positions_unknown": 1, "positions_paper": 0}
            answer["today"]["live"]["seen_ms"] = seen
        return answer

    own.world.change = unlisted
    wide.open(own.url + PAGE)
    wide.shows("1 unknown", "main")
    wide.shows("as reported", "table")
    wide.shows(time.strftime("%H:%M UTC", time.gmtime(seen / 1_000)), "table")


def test_a_page_that_slept_is_old_at_once(own, wide):
    wide.open(own.url + PAGE)
    own.is_silent = True
    # As a device that wakes: its clock has moved on, and no request was missed. Nothing comes between the two lines.
    shown = wide.run(
        """const real = Date.now; Date.now = () => real() + 20_000;
        document.dispatchEvent(new Event("visibilitychange")); return document.getElementById("lost").innerText;"""
    )
    assert "no contact since" in shown and "was not heard" in shown, shown


def test_a_wrong_clock_of_the_phone_changes_nothing(own, phone):
    phone.command(
        "Page.addScriptToEvaluateOnNewDocument",
        source="const real = Date.now; if (location.search === '?late') Date.now = () => real() - 3_600_000;",
    )
    phone.open(own.url + PAGE + "?late")
    phone.shows("last cycle")
    assert re.search(r"last cycle \d+ s ago", phone.text(".verdict")), phone.text(".verdict")
    assert phone.text("#lost") == ""


@pytest.mark.long
def test_a_hidden_tab_asks_less_and_at_once_when_back(own, wide):
    wide.open(own.url + PAGE)
    hide = "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    wide.run(hide, True)
    # The poll that was already due still comes; then none.
    time.sleep(6)
    before = own.asked["/console/api/now"]
    time.sleep(6)
    assert own.asked["/console/api/now"] == before
    wide.run(hide, False)
    wait_until("it asks at once", lambda: own.asked["/console/api/now"] > before, 3)


@pytest.mark.long
def test_older_orders_stay_as_new_as_the_others(own, wide):
    wide.open(own.url + PAGE)
    wide.go("orders")
    rows = lambda: wide.run("return document.querySelectorAll('main tbody tr').length")
    wait_until("one page", lambda: rows() == 50)
    wide.find("button[data-act=more]").click()
    wait_until("more of them", lambda: rows() > 60)
    old = own.world.orders["live"][60]
    old["reason"] = "found in the terminal"
    own.world.generation += 1
    wide.shows("found in the terminal", "main tbody", 20)


def test_a_refusal_is_shown_and_not_taken_for_data(own, wide):
    own.world.change = lambda path, answer: None if path == "system" else answer
    wide.open(own.url + PAGE)
    wide.run("location.hash = '#/system'")
    wide.shows("Not read: there is no such thing")


def test_an_order_that_is_gone_is_not_shown_any_more(own, wide):
    wide.open(own.url + PAGE)
    order = own.world.orders["live"][0]
    wide.go(f"order/{order['id']}", "main .life")
    own.world.orders["live"].remove(order)
    own.world.generation += 1
    wide.shows("Not read: there is no such thing", "main", 20)
    assert wide.run("return document.querySelector('main .life')") is None
    assert "There is nothing to show" in wide.text("main") and wide.text("#lost") == ""


# ---- the two buttons ----


def test_halt_and_resume_as_a_person_does_it(own, wide):
    wide.open(own.url + PAGE)
    wide.find("#press:enabled").click()
    wide.find("dialog[open] #typed:focus")
    assert not wide.find("dialog .danger").is_enabled()
    wide.press("news at 15:30")
    wide.picture("halt-wide")
    wide.find("dialog .danger:enabled").click()
    wide.shows("Halted: no order is sent")
    wide.shows("by console:ann@127.0.0.1")
    wide.shows("news at 15:30", ".waiting")
    wide.find("#press:enabled").click()
    wide.find("dialog[open] #typed:focus")
    wide.press("1234567")
    assert not wide.find("dialog .primary").is_enabled()
    wide.press("8")
    wide.find("dialog .primary:enabled").click()
    wait_until("it runs again", lambda: "Halted" not in wide.text("main"))
    halt, resume = own.requests
    assert (halt.path, halt.json()) == ("/console/api/halt", {"reason": "news at 15:30"})
    assert (resume.path, resume.json(), resume.headers["if-match"]) == ("/console/api/resume", {"account": "12345678"}, '"5"')
    assert wide.complaints() == []


def test_what_is_not_certain_of_a_halt_is_said(own, wide):
    own.world.doubts = ["a power failure may undo this halt: its file is not on disk yet"]
    wide.open(own.url + PAGE)
    wide.find("#press:enabled").click()
    wide.find("dialog[open] #typed:focus")
    wide.press("news")
    wide.find("dialog .danger:enabled").click()
    wide.shows(f"Halted: no order is sent. But {own.world.doubts[0]}.", "dialog")
    wide.picture("halt-doubt-wide")
    wide.run("document.querySelector('dialog').close()")
    wide.shows("news", ".waiting")


def test_the_limit_of_failures_is_a_stop_with_a_resume(own, wide):
    def latched(_, answer):
        if "halt" in answer and own.world.halt_generation < 6:
            answer["halt"] |= {"failures_in_a_row": 5, "failures_max": 5}
        answer.get("health", {})["status"] = "ok"
        return answer

    own.world.change = latched
    wide.open(own.url + PAGE)
    wide.shows("Stopped after failed orders: no order is sent until you resume", ".verdict.bad")
    assert wide.text("#press") == "Resume or halt…"
    wide.find("#press:enabled").click()
    wide.find("dialog[open] #typed:focus")
    wide.shows("5 orders in a row were not filled", "dialog")
    wide.press("12345678")
    # Somebody resumed, and five more orders failed: this page has seen neither.
    own.world.halt_generation += 1
    own.world.generation += 1
    wide.find("dialog .primary:enabled").click()
    wide.shows("Nothing was done: somebody has halted or resumed, or orders have failed", "dialog")
    polls = own.asked["/console/api/now"]
    wide.run("document.querySelector('dialog').close()")
    wait_until("the page is read again", lambda: own.asked["/console/api/now"] > polls, 20)
    wide.find("#press:enabled").click()
    wide.find("dialog[open] #typed:focus")
    wide.shows("5 orders in a row were not filled", "dialog")
    wide.press("12345678")
    wide.find("dialog .primary:enabled").click()
    wide.shows("Running, orders are sent", ".verdict.good")
    assert [(it.path, it.headers["if-match"]) for it in own.requests] == [
        ("/console/api/resume", '"4"'),
        ("/console/api/resume", '"5"'),
    ]


@pytest.mark.parametrize("screen", ["wide", "phone"])
def test_after_failed_orders_a_person_may_halt_too(own, screen, request):
    browser = request.getfixturevalue(screen)

    def latched(_, answer):
        if "halt" in answer:
            answer["halt"] |= {"failures_in_a_row": 5, "failures_max": 5}
        return answer

    own.world.change = latched
    browser.open(own.url + PAGE)
    browser.shows("Resume or halt…", "#press")
    browser.picture(f"latched-{screen}")
    assert browser.sticks_out() == []
    browser.find("#press:enabled").click()
    browser.find("dialog .primary")
    browser.picture(f"latched-dialog-{screen}")
    browser.run("[...document.querySelectorAll('dialog button')].find((it) => it.innerText === 'Halt…').click()")
    browser.find("dialog .danger")
    assert "Resume…" in browser.text("dialog"), "and back"
    browser.find("dialog #typed:focus")
    browser.press("they fail")
    browser.find("dialog .danger:enabled").click()
    wait_until("it is halted", lambda: own.world.halt is not None)
    assert own.world.halt["reason"] == "they fail"
    wait_until("the dialog is closed", lambda: not browser.run("return document.querySelector('dialog').open"))
    browser.shows("they fail", ".waiting")
    assert browser.text("#press") == "Resume…"
    browser.find("#press:enabled").click()
    browser.find("dialog .primary")
    assert "Halt…" not in browser.text("dialog"), "a halt is in force"


@pytest.mark.parametrize("screen", ["wide", "phone"])
def test_a_button_whose_files_do_not_come_says_so(own, screen, request):
    browser = request.getfixturevalue(screen)
    own.lost = {"press.js"}
    browser.open(own.url + PAGE)
    browser.find("#press:enabled").click()
    browser.shows("Nothing was done", "dialog[open]")
    browser.shows("type sentinel halt on Sentinel's machine", "dialog[open]")
    browser.picture(f"no-dialog-{screen}")
    browser.run("[...document.querySelectorAll('dialog button')].find((it) => it.innerText === 'Close').click()")
    assert not browser.run("return document.querySelector('dialog').open")
    # One lost answer is not for ever.
    own.lost = set()
    browser.find("#press:enabled").click()
    browser.find("dialog[open] #typed:focus")


def test_an_open_page_halts_after_an_update_of_sentinel(own, wide):
    wide.open(own.url + PAGE)
    wait_until("the button's files", lambda: own.asked.get("/console/files/press.js"))
    own.lost = {path.name for path in WEB.glob("*.js")}
    wide.find("#press:enabled").click()
    wide.find("dialog[open] #typed:focus")
    wide.press("after the update")
    wide.find("dialog .danger:enabled").click()
    wait_until("it is halted", lambda: own.world.halt is not None)


@pytest.mark.parametrize("view", ["money", "model", "symbol/EURUSD"])
def test_plots_that_did_not_come_are_drawn_later(own, wide, view):
    own.lost = {"uPlot.iife.min.js"}
    wide.open(own.url + PAGE)
    wide.run("location.hash = arguments[0]", f"#/{view}")
    wide.shows("the plots could not be loaded", "main :is(.plot, .chart)")
    wide.picture(f"no-plots-{view.split('/')[0]}")
    polls = own.asked["/console/api/now"]
    wait_until("one more poll", lambda: own.asked["/console/api/now"] > polls, 20)
    wide.shows("the plots could not be loaded", "main :is(.plot, .chart)")
    own.lost = set()
    wait_until(
        "the plots are drawn",
        lambda: wide.run("return [...document.querySelectorAll('.plot, .chart')].every((it) => it.querySelector('canvas'))"),
        20,
    )
    assert "could not be loaded" not in wide.text("main :is(.plot, .chart)")
    # What the browser said of it belongs to this test.
    assert wide.complaints() != []


def test_without_a_halt_file_the_page_names_the_command(own, wide):
    def latched(_, answer):
        if "halt" in answer:
            answer["halt"] |= {"is_available": False, "failures_in_a_row": 5, "failures_max": 5}
        return answer

    own.world.change = latched
    wide.open(own.url + PAGE)
    wide.shows("to start the count again, type sentinel resume on its machine", ".waiting")
    assert not wide.find("#press").is_enabled(), "there is no button that could do it"


@pytest.mark.long
def test_a_page_without_data_can_halt(own, wide):
    own.refused = {"now"}
    wide.open(own.url + PAGE, "#press:enabled")
    wide.shows("the daemon answers, but not with data: the journal cannot be read", "#lost", 25)
    wide.find("#press:enabled").click()
    wide.find("#typed")
    wide.press("smoke")
    wide.find("dialog .danger:enabled").click()
    wide.shows("Halted: no order is sent", "dialog")
    assert own.world.halt["reason"] == "smoke"
    wide.run("document.querySelector('dialog').close()")
    own.refused = set()
    wide.shows("smoke", ".waiting", 25)
    assert wide.text("#lost") == ""


@pytest.mark.long
def test_a_page_that_lost_contact_still_halts(own, wide):
    own.world.press(True, who="console:ann@127.0.0.1", reason="first")
    wide.open(own.url + PAGE)
    wide.shows("first", ".waiting")
    assert wide.text("#press") == "Resume…"
    own.refused = {"now"}
    own.world.press(False)
    wide.shows("the journal cannot be read", "#lost", 25)
    assert wide.text("#press") == "Halt…", "what the page remembers may be over"
    wide.find("#press:enabled").click()
    wide.find("#typed")
    assert "Resume…" in wide.text("dialog"), "a resume is still possible"
    wide.press("again")
    wide.find("dialog .danger:enabled").click()
    wide.shows("Halted: no order is sent", "dialog")
    assert own.world.halt["reason"] == "again"


@pytest.mark.parametrize("rule", ["loss_limit", "not_holder", "before_takeover"])
def test_a_rule_that_stops_every_order_is_not_green(own, wide, rule):
    def stopped(path, answer):
        if path == "now":
            answer["health"]["status"] = "ok"
            for it in answer["symbols"]:
                it["decision"] |= {"action": "BUY", "result": "suppressed", "reason": rule}
        return answer

    own.world.change = stopped
    wide.open(own.url + PAGE)
    wide.shows("the newest signal was not sent", ".verdict.warn")
    wide.shows(rule, ".verdict.warn")


def test_a_stale_page_resumes_nothing(own, wide):
    own.world.press(True, who="console:ann@127.0.0.1", reason="first")
    wide.open(own.url + PAGE)
    wide.shows("first", ".waiting")
    wide.find("#press:enabled").click()
    wide.find("#typed")
    own.world.press(True, who="console:bob@127.0.0.1", reason="second")
    wide.press("12345678")
    wide.find("dialog .primary:enabled").click()
    wide.shows("somebody has halted or resumed, or orders have failed, since", "dialog")
    assert own.world.halt["reason"] == "second"
    wide.run("document.querySelector('dialog').close()")
    wide.shows("second", ".waiting")


def test_who_only_reads_has_no_button(own, wide):
    own.world.operator = False
    wide.open(own.url + PAGE)
    wide.shows("last cycle")
    assert not wide.find("#press").is_enabled()


# ---- people ----


def test_the_keyboard_alone_is_enough(own, wide):
    from selenium.webdriver.common.keys import Keys

    wide.open(own.url + PAGE)
    for key, view in zip("654321", ("system", "money", "model", "orders", "symbol", "now")):
        wide.press(key)
        wait_until(f"key {key} opens {view}", lambda: wide.run("return document.documentElement.dataset.view") == view)
    wide.press("2")
    wide.find(".candles[data-bars]")
    wide.run("document.activeElement.blur()")
    for _ in range(40):
        wide.press(Keys.TAB)
        if wide.run("return document.activeElement.id") == "chart":
            break
    assert wide.run("return document.activeElement.id") == "chart", "Tab reaches the chart"
    wide.press(Keys.ARROW_LEFT)
    first = wide.text("#readout")
    wide.press(Keys.ARROW_LEFT)
    assert wide.text("#readout") != first
    outline = wide.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "the focus is seen"
    wide.press("h", Keys.ENTER)
    wide.find("#typed")
    wide.press("by hand", Keys.ENTER)
    wait_until("it is halted", lambda: own.world.halt is not None)
    assert own.requests[-1].json() == {"reason": "by hand"}


def test_an_update_keeps_the_focus(own, wide):
    own.world.period_s = 1.0
    wide.open(own.url + PAGE)
    wide.run("document.querySelector('tbody a').focus()")
    polls = own.asked["/console/api/now"]
    wait_until("three updates", lambda: own.asked["/console/api/now"] > polls + 3, 20)
    assert wide.run("return document.activeElement.matches('tbody a')")


def test_times_name_their_zone(own, wide):
    wide.command("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
    wide.open(own.url + PAGE)
    wait_until("a time in UTC", lambda: re.search(r"\d\d:\d\d:\d\d UTC\b(?!\+)", wide.text("main")))
    utc = re.search(r"(\d\d):(\d\d):\d\d UTC", wide.text("main"))
    wide.find("#zone").click()
    wide.shows("UTC+5:30", "#zone")
    local = re.search(r"(\d\d):(\d\d):\d\d UTC\+5:30", wide.text("main"))
    minutes = [int(it[1]) * 60 + int(it[2]) for it in (utc, local)]
    assert (minutes[1] - minutes[0]) % 1_440 == 330
    assert "UTC " not in wide.text("main table")
    wide.go("symbol/EURUSD")
    wide.shows("times: UTC+5:30")
    wide.find("#zone").click()
    wide.command("Emulation.setTimezoneOverride", timezoneId="")
    wide.shows("UTC", "#zone")


def test_a_time_of_another_day_has_its_date(own, wide):
    days = 3 * 86_400_000
    own.world.is_frozen, own.world.cycle_ms = True, int(time.time() * 1_000) - days

    def of_friday(path, answer):
        """An order with steps of hours, one of them before the step it follows."""
        if path.startswith("orders/"):
            first = answer["events"][0]["at_ms"]
            answer["events"] = [
                {"at_ms": first + after, "state": state, "who": "daemon", "note": None}
                for after, state in ((0, "intent"), (7_200_000, "sending"), (7_199_000, "filled"))
            ]
        return answer

    own.world.change = of_friday
    wide.open(own.url + PAGE, ".brief")
    named = time.strftime("%-d %b", time.gmtime(own.world.cycle_ms / 1_000))
    assert re.search(rf"\b{named} (\d{{4}} )?\d\d:\d\d:\d\d UTC", wide.text(".brief")), wide.text(".brief")
    wide.shows("no contact since", "#lost", 20)
    assert re.search(rf"no contact since {named} (\d{{4}} )?\d\d:\d\d:\d\d UTC", wide.text("#lost")), wide.text("#lost")
    wide.picture("another-day-wide")
    wide.go(f"order/{own.world.orders['live'][-1]['id']}")
    life = wide.text(".life").splitlines()
    assert "after 2 h 0 min" in life[1] and "after" not in life[2], life
    assert re.search(r"\d+ [A-Z][a-z]{2} (\d{4} )?\d\d:\d\d:\d\d UTC", life[0]), life


def test_light_and_dark_by_the_switch(own, wide):
    wide.open(own.url + PAGE)
    seen = {}
    for _ in range(3):
        seen[wide.text("#theme")] = wide.run("return getComputedStyle(document.body).backgroundColor")
        wide.find("#theme").click()
    assert seen["light"] == seen["auto"] != seen["dark"], seen


def test_two_fingers_zoom_the_chart(own, phone):
    phone.open(own.url + PAGE + "#/symbol/EURUSD", ".candles[data-bars]")
    before = counts(phone)["bars"]
    box = phone.run(
        "const it = document.querySelector('.candles .u-over').getBoundingClientRect(); return [it.left + it.width / 2, it.top + 60]"
    )
    fingers = lambda apart: [{"x": box[0] - apart, "y": box[1], "id": 1}, {"x": box[0] + apart, "y": box[1], "id": 2}]
    phone.command("Input.dispatchTouchEvent", type="touchStart", touchPoints=fingers(30))
    for apart in (45, 60, 75, 90):
        phone.command("Input.dispatchTouchEvent", type="touchMove", touchPoints=fingers(apart))
    phone.command("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    wait_until("fewer bars are in view", lambda: counts(phone)["bars"] < before * 0.7)


# ---- hostile and heavy ----


def poisoned(value):
    """Every text of an answer made hostile, but those that the page compares or that are numbers in text."""
    if isinstance(value, dict):
        kept = (
            "mode",
            "kind",
            "ledger",
            "side",
            "mark",
            "position",
            "interval",
            "action",
            "result",
            "period",
            "range",
            "day",
            "columns",
            "stage",
        )
        return {key: each if key in kept else poisoned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) else value


@pytest.mark.parametrize("view", [*VIEWS, "order"])
def test_hostile_text_stays_text(own, wide, view):
    symbol = f"EURUSD{HOSTILE}"
    own.world.change = lambda path, answer: poisoned(answer)
    # The page asks with the name that it was reported.
    for name in ("bars", "odds"):
        getattr(own.world, name)[symbol] = getattr(own.world, name)["EURUSD"]
    from parts import console_world

    console_world.DIGITS[symbol] = 5
    order = own.world.orders["live"][0]
    wide.open(own.url + PAGE)
    wide.run("location.hash = arguments[0]", f"#/{view}" if view != "order" else f"#/order/{order['id']}")
    wait_until("hostile text is shown", lambda: "<img src=x onerror=" in wide.text("main"), 20)
    time.sleep(0.3)
    assert wide.run("return document.querySelectorAll('main img, dialog img, header img').length") == 0
    assert "owned" not in wide.run("return document.title")
    assert wide.complaints() == []
    room = wide.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert room[0] <= room[1], wide.sticks_out()


# Polls as fast as answers come; every one has new content, so that every one is drawn.
POLLS = """
const [count, done] = arguments, real = window.fetch;
let answers = 0;
window.fetch = (...all) => real(...all).finally(() => { answers += 1; });
(async () => {
  for (let at = 0; at < count; at++) {
    const before = answers;
    document.dispatchEvent(new Event("visibilitychange"));
    while (answers < before + 2) await new Promise((next) => setTimeout(next, 1));
  }
  window.fetch = real;
  done(answers);
})();
"""


def grows(own, browser, polls: int) -> tuple[int, int]:
    """The heap after the first polls, and after all."""
    own.world.period_s = 0.05
    browser.driver.set_script_timeout(100)
    browser.open(own.url + PAGE)
    browser.driver.execute_async_script(POLLS, 150)
    first = browser.heap()
    # In parts: Selenium waits for two minutes at most.
    answers = sum(browser.driver.execute_async_script(POLLS, 250) for _ in range(polls // 250))
    assert answers >= 2 * polls
    return first, browser.heap()


@pytest.mark.long
def test_a_thousand_polls_leave_the_heap_flat(own, wide):
    first, last = grows(own, wide, 1_000)
    assert last < first + 400_000, (first, last)


@pytest.mark.full
def test_ten_thousand_polls_leave_the_heap_flat(own, wide):
    first, last = grows(own, wide, 10_000)
    assert last < first + 600_000, (first, last)


def test_all_files_are_at_most_60_kb(fake):
    files = [path for path in WEB.rglob("*") if path.suffix in (".html", ".css", ".js")]
    sizes = {path.name: len(gzip.compress(as_sent(path), 9)) for path in files}
    # The build compresses 3 % better than this, with the licence: assets.rs has the limit itself.
    assert len(sizes) > 10 and sum(sizes.values()) <= 1.03 * ASSETS_MAX, sizes


def test_the_first_view_on_slow_3g(own):
    require("chromium", "chromedriver")
    browser = Browser(360, 740, is_touch=True)
    try:
        own.is_compressed = True
        browser.driver.get("about:blank")
        browser.command("Network.enable")
        firsts, alone = first_views(browser, own)
        own.asked.clear()
        browser.command("Network.clearBrowserCache")
        first = first_view_ms(browser, own)
        # What the first sentence does not need comes after it.
        before = {path for path in own.asked if "/files/" in path}
        browser.find("main section")
        again = first_view_ms(browser, own)
        browser.find("main section")
        assert own.asked.get("/console/files/symbol.js") is None, "the first view needs nothing of the others"
    finally:
        browser.close()
    # Two turns: the page, and then everything that its first sentence needs, at once.
    files = {path: count for path, count in own.asked.items() if "/files/" in path}
    assert len(files) == 8 and set(files.values()) == {1}, "what has not changed is never asked for again"
    assert own.asked["/console/"] == own.asked["/console/api/now"] == 2 and len(own.asked) <= 11, own.asked
    # Those that had been asked for when the sentence was seen may be more: the rest follows at once.
    assert {path.rsplit("/", 1)[1] for path in before} >= {"first.css", "boot.js"}, before
    names = ["index.html", "first.css", "boot.js"]
    now = len(gzip.compress(json.dumps(own.world.answer("now", {})).encode()))
    line_first = line_ms(4, now + sum(len(gzip.compress(as_sent(WEB / name), 9)) for name in names))
    line_again = line_ms(2, now)
    print(f"first view on slow 3G: {first:.0f} ms, again {again:.0f} ms; of these the line {line_first:.0f} and {line_again:.0f} ms")
    # The browser itself needs some 70 ms more on a quiet machine.
    assert line_first <= 960 and line_again <= 900, (line_first, line_again)
    # Measured. What this machine needs for the page without a line is not the page's; the best of some, as a busy machine only adds.
    print(f"measured: {sorted(map(round, firsts))} ms, without a line {sorted(map(round, alone))} ms")
    assert min(firsts) - min(alone) <= 1_000, (firsts, alone)


@pytest.mark.parametrize("name", ["app.js", "parts.js"])
def test_a_first_sentence_that_nothing_updates_is_no_contact(own, wide, name):
    own.lost = {name}
    wide.open(own.url + PAGE, ".verdict")
    wide.shows("no contact since this page was opened: its files do not come", "#lost")
    assert float(wide.run("return getComputedStyle(document.querySelector('main')).opacity")) < 0.7
    own.lost = {"console.css"}
    wide.open(own.url + PAGE)
    assert wide.text("#lost") == "", "without its styles it is still a console"


def first_views(browser, own, times: int = 4) -> tuple[list[float], list[float]]:
    """First views with an empty cache, on the slow line and on none; in turn, so that both meet the same machine."""
    slow, alone = [], []
    none = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    for _ in range(times):
        for line, taken in ((none, alone), (SLOW_3G, slow)):
            browser.driver.get("about:blank")
            browser.command("Network.clearBrowserCache")
            browser.command("Network.emulateNetworkConditions", **line)
            taken.append(first_view_ms(browser, own))
            browser.find("main section")
    return slow, alone


def line_ms(answers: int, content: int) -> float:
    """What this line takes for so many answers with so many bytes in two turns; the daemon's heads have at most 560 bytes."""
    return 2 * SLOW_3G["latency"] + (answers * 560 + content) / SLOW_3G["downloadThroughput"] * 1_000


def first_view_ms(browser, own) -> float:
    """From the request to the verdict on the screen."""
    browser.command(
        "Page.addScriptToEvaluateOnNewDocument",
        source="""
      new MutationObserver((_, it) => { if (document.querySelector(".verdict")) { window.shownAt ??= performance.now(); it.disconnect(); } })
        .observe(document, {subtree: true, childList: true});""",
    )
    browser.driver.get(own.url + PAGE)
    return wait_until("the verdict", lambda: browser.run("return window.shownAt ?? null"), 30)


# ---- the contract, and the files ----


def test_the_fake_is_of_the_contracts_shape():
    world, may_be_null = World(), nullable()
    paths = {name: (name, {"symbol": "EURUSD"}) for name in examples() if name not in ("orders/ID", "halt", "error")}
    paths["orders/ID"] = (f"orders/{world.orders['paper'][-1]['id']}", {})
    for name, (path, query) in paths.items():
        found = differences(examples()[name], world.answer(path, query), may_be_null)
        assert found == [], (name, show(found[:10]))


def test_a_difference_from_the_contract_is_found():
    answer, may_be_null = World().answer("now", {}), nullable()
    for break_it in (
        lambda it: it.pop("period_s"),
        lambda it: it.update(period_s="60"),
        lambda it: it["halt"].update(generation=None),
        lambda it: it["symbols"][0]["decision"].pop("rule"),
    ):
        broken = World().answer("now", {})
        break_it(broken)
        assert len(differences(examples()["now"], broken, may_be_null)) == 1
    assert differences(examples()["now"], answer, may_be_null) == []


def test_the_files_follow_the_policy():
    assert POLICY in (WEB.parents[2] / "config/console/README.md").read_text()
    for path in [*WEB.glob("*.js"), WEB / "index.html"]:
        text = path.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(\"style|\sstyle=|\son\w+=",
            text,
        ), path
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
        # Comment lines and indentation are not sent: none may be inside a text.
        assert all(line.count("`") % 2 == 0 for line in text.splitlines()), path


def test_the_vendored_file_is_the_published_one():
    lines = re.findall(r"^ {4}([0-9a-f]{64})  (\S+)$", (WEB / "vendor/README.md").read_text(), re.M)
    assert len(lines) == 2
    for digest, name in lines:
        assert hashlib.sha256((WEB / "vendor" / name).read_bytes()).hexdigest() == digest, name
