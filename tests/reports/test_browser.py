"""The site in headless Chromium, opened from disk: sorting, filtering, keyboard, narrow screens, no JavaScript."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from snapshots import COMPLEXITY, cell, counts, row, small, strangers, with_own_pages

from bench.results.snapshot import Snapshot
from protocols import PROTOCOLS
from reports import site

pytestmark = pytest.mark.browser
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SLOW = 300_000  # milliseconds: on a busy machine everything takes long
BOARD = "mpii-pckh-mannequin-val"


@pytest.fixture(scope="module")
def browser():
    """Chromium of the system, or the one that REPOSE_CHROMIUM names; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = os.environ.get("REPOSE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("Chromium not found; install it (Debian: apt install chromium) or set REPOSE_CHROMIUM")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=found, args=FLAGS, timeout=SLOW)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    snapshot = with_own_pages(small(folder / "store"))
    return site.build(snapshot, folder / "site", np.full((64, 64, 3), 128, np.uint8)).parent


class Watched:
    """A page that remembers what it complained about and what it asked for."""

    def __init__(self, browser, built, **options):
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(SLOW)
        self.page = self.context.new_page()
        self.built, self.errors, self.requests = built, [], []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path, fragment=""):
        self.page.goto("about:blank")
        self.page.goto(f"{(self.built / path).as_uri()}{fragment}")
        return self.page


@pytest.fixture
def watch(browser, built):
    """Opens pages; afterwards none may have complained, or asked for anything but files of the site."""
    opened = []

    def start(**options):
        opened.append(Watched(browser, built, **options))
        return opened[-1]

    yield start
    for watched in opened:
        watched.context.close()
        assert watched.errors == []
        assert [url for url in watched.requests if not url.startswith((built.as_uri(), "about:", "data:"))] == []


def networks(page):
    """The first lines of the leaderboard's visible rows."""
    return page.locator(f"#{BOARD} tbody tr:visible th a").all_inner_texts()


def test_every_page_opens_without_a_complaint(watch, built):
    watched = watch()
    for path in sorted(built.rglob("*.html")):
        page = watched.open(path.relative_to(built))
        assert page.locator("h1").count() == 1
        assert page.evaluate("[...document.images].every(image => image.loading === 'lazy' || image.naturalWidth > 0)")


@pytest.mark.slow
def test_no_page_scrolls_sideways(watch, built):
    watched = watch()
    for path in sorted(built.rglob("*.html")):
        page = watched.open(path.relative_to(built))
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            assert_it_fits(page, 320, 400, 1600)


def assert_it_fits(page, *widths):
    """The page is no wider than the window, whatever the window's width in pixels."""
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (page.url, width)


def test_sorting(watch):
    page = watch().open("protocols/mpii-pckh.html")
    assert networks(page)[0].startswith("hourglass-2@")
    head = page.locator(f"#{BOARD} thead th", has_text="mean")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert networks(page)[0] == "mean-pose"
    assert page.locator("#live").inner_text().startswith("sorted by mean")
    page.locator(f"#{BOARD} thead th", has_text="network").locator("button").click()
    assert page.locator(f"#{BOARD} [aria-sort]").count() == 1, "only the sorted column says so"


def test_missing_values_come_last_both_ways(watch):
    page = watch().open("protocols/mpii-pckh.html")
    button = page.locator(f"#{BOARD} thead th", has_text="parameters").locator("button")
    for _ in range(2):
        button.click()
        assert networks(page)[-1] == "mean-pose"


def test_searching_and_filtering(watch):
    page = watch().open("protocols/mpii-pckh.html")
    controls = page.locator(".controls").first
    controls.locator("input").fill("hourglass width=0.25")
    assert len(networks(page)) == 3
    controls.locator("select").nth(1).select_option("◷ stale")
    assert len(networks(page)) == 1
    assert controls.locator("output").inner_text() == "1 of 4"


def test_a_view_is_a_link(watch):
    watched = watch()
    page = watched.open("protocols/mpii-pckh.html")
    page.locator(".controls input").first.fill("hourglass-1")
    page.locator(f"#{BOARD} thead th", has_text="ankle").locator("button").click()
    fragment = page.evaluate("location.hash")
    shown = networks(page)
    again = watched.open("protocols/mpii-pckh.html", fragment)
    assert networks(again) == shown and len(shown) == 2
    assert again.locator(f"#{BOARD} [aria-sort]").inner_text().startswith("ankle")


def test_keyboard_alone(watch):
    page = watch().open("protocols/mpii-pckh.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('thead') !== null"):
            break
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(f"#{BOARD} [aria-sort=ascending]").inner_text() == "network"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is visible"


def test_menus(watch):
    page = watch(viewport={"width": 320, "height": 700}).open("index.html")
    link = page.locator(".menu a", has_text="complexity")
    assert not link.is_visible()
    page.get_by_text("Leaderboards", exact=True).focus()
    page.keyboard.press("Enter")
    assert link.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.keyboard.press("Escape")
    assert not link.is_visible()
    page.get_by_text("Papers", exact=True).first.click()
    page.locator(".menu a", has_text="Yang 2017").click()
    page.wait_for_url("**/papers/yang2017.html")


def test_without_javascript_the_page_is_complete(watch):
    page = watch(java_script_enabled=False).open("protocols/mpii-pckh.html")
    assert len(networks(page)) == 4
    assert page.locator("main button, main input:not([type=radio])").count() == 0, "no control that does nothing"
    seed = page.locator(f"#{BOARD} thead th", has_text="seed")
    assert not seed.is_visible()
    page.get_by_role("radio", name="all").first.check()
    assert seed.is_visible()
    page = watch(java_script_enabled=False).open("papers/yang2017.html")
    delta = page.locator(".delta.below").first
    assert delta.is_visible()
    page.get_by_label("published").check()
    assert not delta.is_visible() and page.get_by_text("92.0").first.is_visible()


def test_hostile_names_run_nothing_and_fit(browser, tmp_path):
    out = site.build(strangers(), tmp_path / "site").parent
    watched = Watched(browser, out)
    alerts = []
    watched.page.on("dialog", lambda dialog: alerts.append(dialog.message) or dialog.dismiss())
    for path in sorted(out.rglob("*.html")):
        assert_it_fits(watched.open(path.relative_to(out)), 400, 1600)
    assert watched.open("index.html").get_by_text("<script>alert('a network')</script>").is_visible()
    assert alerts == watched.errors == []
    assert [url for url in watched.requests if not url.startswith((out.as_uri(), "about:"))] == []
    watched.context.close()


def test_figures_follow_the_dark_page(watch):
    colours = []
    for theme in ("light", "dark"):
        page = watch(color_scheme=theme).open("curves.html")
        colours.append(page.evaluate("getComputedStyle(document.querySelector('svg text')).fill"))
    assert colours[0] != colours[1]


def test_text_has_contrast(watch):
    """Every colour that text has, against the page and the raised ground: at least 4.5 to 1 (WCAG 2.1, 1.4.3)."""
    names = ("ink", "faint", "accent", "fresh", "stale", "failed", "blocked", "missing")
    script = """names => ['paper', 'raised', ...names].map(name => {
        const probe = document.body.appendChild(document.createElement('i'));
        probe.style.color = `var(--${name})`;
        return getComputedStyle(probe).color.match(/\\d+/g).map(Number);
    })"""
    for theme in ("light", "dark"):
        paper, raised, *inks = watch(color_scheme=theme).open("index.html").evaluate(script, list(names))
        for name, ink in zip(names, inks, strict=True):
            assert min(contrast(ink, paper), contrast(ink, raised)) >= 4.5, (theme, name)


def contrast(one, two):
    """Contrast ratio of two sRGB colours, 0..255 (WCAG 2.1)."""

    def luminance(colour):
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_paper_shows_what_is_folded_away(watch):
    page = watch().open("curves.html")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details table").first.is_visible()
    assert not page.locator(".top nav").is_visible()


@pytest.mark.parametrize("script", [True, False])
def test_claims_are_filtered_without_a_script(watch, script):
    page = watch(java_script_enabled=script).open("claims.html")
    shown = page.locator(".claims > li:visible")
    assert shown.count() == 166
    page.get_by_role("radio", name="Nie 2019").check()
    assert shown.count() == 26
    page.get_by_role("radio", name="contradicted").check()
    few = shown.count()
    assert 0 < few < 26 and page.locator('.claims > li[data-verdict="supported"]:visible').count() == 0
    page.get_by_role("group", name="Paper").get_by_role("radio", name="all").check()
    assert shown.count() > few


def test_a_filtered_ledger_is_a_link(watch):
    page = watch().open("claims.html", "#verdict=not%20tested&paper=yang2017")
    rows = page.locator(".claims > li:visible")
    assert 0 < rows.count() < 28
    assert rows.first.get_attribute("data-verdict") == "not tested"
    page.get_by_role("group", name="Verdict").get_by_role("radio", name="all").check()
    fragment = page.evaluate("location.hash")  # page.url follows later
    assert rows.count() == 28 and "verdict" not in fragment and "paper=yang2017" in fragment


def default_matrix() -> Snapshot:
    """Cells like those of matrix.toml: four protocols on mannequins, and networks that were only counted."""
    scored = ("mpii-pckh", "lsp-pck", "lsp-pcp", "occluded-limb")
    cells = [cell(name, protocol, "mannequin", "val", budget="quick") for protocol in scored
             for name in ("mean-pose@input=64,width=0.25", "hourglass-2@input=64,width=0.25")]  # fmt: skip
    rows = [row(made, *PROTOCOLS[made.protocol].headline, 88.8, 87.3, 90.3) for made in cells]
    cells[1] = structs.replace(cells[1], state="stale")
    counted = [cell(name, "complexity") for name in ("hourglass-8-pytorch-pose", "mean-pose@input=64,width=0.25")]
    rows += [line for made in counted for line in counts(made, 25e6, 28.09e9)]
    return Snapshot(rows, cells + counted, [], [*(PROTOCOLS[name] for name in scored), COMPLEXITY])


def test_the_default_matrix_fits_a_laptop(browser, tmp_path):
    index = site.build(default_matrix(), tmp_path / "site")
    page = browser.new_page()
    page.goto(index.as_uri())
    region = page.locator(".region", has=page.locator("#matrix"))
    for width in (1024, 1300):
        page.set_viewport_size({"width": width, "height": 900})
        assert region.evaluate("region => region.scrollWidth - region.clientWidth") == 0, width
    marks = page.locator("#matrix td i").all_inner_texts()
    assert sorted(marks) == ["●"] * 9 + ["◷ stale"], "a word where something is to be done"
    page.close()


def test_the_main_columns_of_a_leaderboard_fit_a_laptop(watch):
    page = watch(viewport={"width": 1280, "height": 900}).open("protocols/mpii-pckh.html")
    region = page.locator(".region", has=page.locator(f"#{BOARD}"))
    beyond = "region => region.scrollWidth - region.clientWidth"
    assert region.evaluate(beyond) == 0
    page.locator(f'input[name="{BOARD}.columns"][value="all"]').check()
    assert page.locator(f"#{BOARD} thead th", has_text="seed").is_visible()
    assert f"{BOARD}.columns=all" in page.evaluate("location.hash"), "the view is a link"
