"""The live page in a real browser, on a live system with real processes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.browser import Browser, chromium, find_chromium
from tests.integration.live_system import LiveRun, start_live, write_live_scenario
from tests.integration.second_codec import make_second

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        find_chromium() is None,
        reason="chromium is not on the PATH; Debian: apt install chromium",
    ),
]

CARD = "document.querySelector('[data-link=shapes10]')"
ROOT = "document.documentElement"


@pytest.fixture
def live(workplace: Path, tmp_path: Path) -> Iterator[LiveRun]:
    (tmp_path / "data").symlink_to(workplace / "data")
    shutil.copytree(workplace / "codecs", tmp_path / "codecs")
    make_second(tmp_path / "codecs", of="shapes10")
    ports = {"metrics_host": "127.0.0.2"}  # on this machine, but a place that needs the token
    scenario = write_live_scenario(tmp_path / "live.yaml", ports=ports)
    run = start_live(scenario, workplace=tmp_path)
    run.wait_for_frames()
    yield run
    run.end()


def test_page_shows_and_changes_a_live_system(live: LiveRun, tmp_path: Path) -> None:
    """One browser and one system for all of this: both take long to start."""
    with chromium(tmp_path) as browser:
        browser.look(1200, 900)
        browser.open(json.loads((live.logs.folder / "live.json").read_text())["url"] + "/")
        check_links_with_figures_and_charts(browser)
        check_change_needs_the_token(browser, live)
        check_snr_is_held_and_follows_its_course_again(browser, live)
        check_codec_is_changed(browser, live)
        check_setting_of_a_model_is_changed(browser, live)
        check_changes_are_marked_and_lines_named(live, browser)
        check_current_item_is_shown(browser)
        check_refusal_is_told(browser)
        check_scales_and_rates(browser)
        check_fits_a_narrow_screen(browser)
        assert browser.value(f"{ROOT}.dataset.scriptErrors") == "0"
        live.end()
        check_silence_is_told(browser)
        assert browser.value(f"{ROOT}.dataset.scriptErrors") == "0"


def check_links_with_figures_and_charts(browser: Browser) -> None:
    browser.wait(f"{ROOT}.dataset.state === 'live'")
    links = "[...document.querySelectorAll('[data-link]')].map((card) => card.dataset.link)"
    assert browser.value(links) == ["shapes10", "shapes100"]
    browser.wait(
        "[...document.querySelectorAll('[data-figure]')].every((f) => /\\d/.test(f.textContent))"
    )
    for chart in ("value", "latency", "throughput"):
        found = f"{CARD}.querySelector('[data-chart={chart}]')"
        browser.wait(f"Number({found}.dataset.samples) >= 2")
        assert browser.value(f"{found}.querySelector('path.line').getAttribute('d').length") > 10
    chips = "[...document.querySelectorAll('#processes li')].map((chip) => chip.textContent)"
    assert {"channel", "transmitter shapes10"} <= set(browser.value(chips))


def check_change_needs_the_token(browser: Browser, live: LiveRun) -> None:
    browser.value(f"{CARD}.querySelector('input[type=number]').form.requestSubmit()")
    browser.wait(f"{CARD}.querySelector('.notice').dataset.kind === 'bad'")
    assert "token" in browser.value(f"{CARD}.querySelector('.notice').textContent")
    token = (live.logs.folder / "token").read_text()
    assert not browser.value("document.getElementById('token-form').hidden")
    browser.value(
        f"{{ const field = document.getElementById('token'); field.value = {json.dumps(token)};"
        " field.form.requestSubmit(); }"
    )
    assert browser.value("localStorage.length") == 0


def check_snr_is_held_and_follows_its_course_again(browser: Browser, live: LiveRun) -> None:
    browser.value(
        f"{{ const field = {CARD}.querySelector('input[type=number]'); field.value = '-3.5';"
        " field.dispatchEvent(new Event('input')); field.form.requestSubmit(); }"
    )
    browser.wait(f"{CARD}.querySelector('.notice').dataset.kind === 'good'")
    live.wait(lambda links: links["shapes10"]["snr_set_db"] == -3.5, "the SNR is held")
    live.wait(  # a change that is shorter than a sample of the charts has no mark
        lambda links: any("SNR held" in each["what"] for each in links["shapes10"]["changes"]),
        "the change is marked",
    )
    assert live.links()["shapes100"]["course"] == "constant"
    browser.wait(f"{CARD}.querySelector('[data-figure=snr]').textContent.startsWith('\\u22123.5')")
    browser.wait(f"!{CARD}.querySelector('button[type=button]').disabled")
    browser.value(f"{CARD}.querySelector('button[type=button]').click()")
    live.wait(lambda links: links["shapes10"]["course"] == "constant", "the course is followed")


def check_codec_is_changed(browser: Browser, live: LiveRun) -> None:
    choose = "document.getElementById('shapes10-codec')"
    offered = browser.value(f"[...{choose}.options].map((o) => o.value)")
    assert offered == ["second", "shapes10", "shapes10-nested"]
    browser.value(
        f"{{ {choose}.value = 'second'; {choose}.dispatchEvent(new Event('change'));"
        f" {choose}.form.querySelector('button').click(); }}"
    )
    browser.wait(f"{CARD}.querySelector('.notice').textContent === 'codec is second'")
    assert live.links()["shapes10"]["codec"] == "second"


def check_setting_of_a_model_is_changed(browser: Browser, live: LiveRun) -> None:
    choose = "document.getElementById('shapes10-model')"
    doppler = "document.getElementById('shapes10-setting-doppler')"
    browser.value(
        f"{{ {choose}.value = 'jakes'; {choose}.dispatchEvent(new Event('change'));"
        f" {doppler}.value = '0.2'; {doppler}.dispatchEvent(new Event('input'));"
        f" {choose}.form.requestSubmit(); }}"
    )
    browser.wait(f"{CARD}.querySelector('.notice').textContent === 'channel is jakes'")
    row = live.links()["shapes10"]
    assert (row["model"], row["channel_settings"]) == ("jakes", {"doppler": 0.2})
    browser.wait(f"{doppler}?.value === '0.2'")  # the form may be just being drawn again
    browser.value(
        f"{{ {doppler}.value = '0.9'; {doppler}.dispatchEvent(new Event('input'));"
        f" {choose}.form.noValidate = true; {choose}.form.requestSubmit(); }}"
    )
    browser.wait(f"{CARD}.querySelector('.notice').dataset.kind === 'bad'")
    notice = browser.value(f"{CARD}.querySelector('.notice').textContent")
    assert "channel.doppler: must be a number from 0 to 0.5" in notice


def check_changes_are_marked_and_lines_named(live: LiveRun, browser: Browser) -> None:
    marks = f"[...{CARD}.querySelectorAll('[data-chart=value] .change title')]"
    browser.wait(f"{marks}.some((each) => each.textContent.includes('channel jakes'))")
    # The chart shows the latest of them: how long ago the others were depends on the machine.
    told = "; ".join(each["what"] for each in live.links()["shapes10"]["changes"])
    for what in ("SNR held", "SNR constant", "codec second", "channel jakes"):
        assert what in told
    legend = f"{CARD}.querySelector('[data-chart=value] .legend').textContent"
    assert browser.value(legend).strip().startswith("Accuracy")


def check_current_item_is_shown(browser: Browser) -> None:
    browser.value(f"{CARD}.querySelector('details.item').open = true")
    browser.wait(f"{CARD}.querySelector('details.item').dataset.frame !== undefined")
    assert browser.value(f"{CARD}.querySelector('.seen img').naturalWidth") == 32
    assert browser.value(f"{CARD}.querySelectorAll('.constellation .ring').length") > 4
    answered = f"{CARD}.querySelectorAll('.seen figure')[1].textContent"
    assert "%" in browser.value(answered)
    browser.value(f"{CARD}.querySelector('details.item').open = false")


def check_refusal_is_told(browser: Browser) -> None:
    choose = "document.getElementById('shapes10-model')"
    browser.value(
        f"{{ {choose}.append(new Option('<b>fog</b>')); {choose}.value = '<b>fog</b>';"
        f" {choose}.dispatchEvent(new Event('change')); {choose}.form.requestSubmit(); }}"
    )
    browser.wait(f"{CARD}.querySelector('.notice').dataset.kind === 'bad'")
    notice = browser.value(f"{CARD}.querySelector('.notice').textContent")
    assert "no channel model" in notice
    assert "<b>fog</b>" in notice  # as text
    assert browser.value(f"{CARD}.querySelector('b')") is None


def check_scales_and_rates(browser: Browser) -> None:
    found = browser.value(
        """(async () => {
            const { decibels, fromZero, within } = await import("/page/axes.js");
            const { History, gapOf, rates } = await import("/page/history.js");
            const history = new History();
            const two = new History();
            const rows = (...links) => ({ run: "x", links: links.map(([link, name, uptime_s]) =>
                ({ link, metric: { name }, history: { uptime_s } })) });
            const status = (run, uptime_s) =>
                ({ run, links: [{ link: "a", metric: { name: "m" }, history: { uptime_s } }] });
            return {
                decibels: decibels([-9.5, null, 16]),
                wide: decibels([-30, 60]),
                within: [
                    within([30], [0, 100]), within([28.1, null, 28.4], [null, null]),
                    within([0.93, 0.97], [null, 1]), within([120, 900], [0, null]),
                    within([-3, 1.2], [0, null]), within([], [null, null]),
                ].map(({ low, step }) => [low, step]),
                fromZero: [fromZero([37, null], 1).step, fromZero([], 10).step],
                gap: gapOf([0, 1, 2, 60, 61]),
                rates: rates([0, 2, 4, 20, 22, 24], [0, 4, 8, 9, 9, 9], 10, 5),
                taken: [status("x", [1, 2]), status("x", [3, 700]), status("y", [1])].map((each) =>
                    [history.take(each), history.of("a")?.uptime_s, history.since]),
                changed: [
                    rows(["a", "accuracy", [1, 2]], ["b", "psnr", [1, 2]]),
                    rows(["a", "psnr", []], ["b", "psnr", [3]]),
                    rows(["a", "psnr", [4]], ["b", "psnr", [4]]),
                ].map((each) =>
                    [two.take(each), two.since, two.of("a").uptime_s, two.of("b").uptime_s]),
            };
        })()"""
    )
    assert found["decibels"] == {"low": -10, "step": 10}
    assert found["wide"] == {"low": -30, "step": 30}
    assert found["fromZero"] == [10, 2.5]
    assert found["within"] == [
        [0, 25], [28, 1], [pytest.approx(0.8), 0.05], [0, 250], [0, pytest.approx(0.3)], [0, 0.05],
    ]  # fmt: skip
    assert found["gap"] == 4
    assert found["rates"] == [None, None, 2, None, None, 0]
    assert found["changed"] == [
        [True, 2, [1, 2], [1, 2]],
        [True, 3, [], [1, 2, 3]],
        [True, 4, [4], [1, 2, 3, 4]],
    ], "a link with another metric begins again, and nothing is asked for twice"
    assert found["taken"] == [[True, [1, 2], 2], [True, [700], 700], [False, None, None]]


def check_fits_a_narrow_screen(browser: Browser) -> None:
    for width in (360, 800):
        browser.look(width, 800)
        browser.wait(f"{CARD}.querySelector('.chart > svg').clientWidth < {width}")
        assert browser.value(f"{ROOT}.scrollWidth") <= width
        is_open = "true" if width == 800 else "false"
        browser.wait(f"{CARD}.querySelector('details.adjust').open === {is_open}")
    browser.look(360, 800)
    browser.wait(f"!{CARD}.querySelector('details.adjust').open")
    top = "getBoundingClientRect().top"
    assert browser.value(
        f"{CARD}.querySelector('.adjust').{top} < {CARD}.querySelector('.chart').{top}"
    )


def check_silence_is_told(browser: Browser) -> None:
    browser.wait(f"{ROOT}.dataset.state === 'lost'")
    banner = "document.getElementById('banner')"
    assert not browser.value(f"{banner}.hidden")
    assert browser.value(f"{banner}.textContent").startswith("No answer since")
