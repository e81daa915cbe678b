"""The report in a real browser: desktop and phone, light and dark, keyboard and screen reader."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report import html_page
from hf_transfer_plugin.report.canvas import Chart
from tests.browser import Browser, open_browser
from tests.report import proposals

DESKTOP, PHONE = (1280, 900), (390, 844)
# Contrast of each text with what lies behind it (WCAG 2.2, 1.4.3), the lowest first.
CONTRAST = """(() => {
  const parts = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = parts(c).map(v => (v /= 255) <= .04045 ? v / 12.92
    : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor, p = parts(c);
    if (p.length === 3 || p[3] === 1) return c; } return "rgb(255, 255, 255)"; };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const words = [...e.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
    if (!words.length) continue;
    const pair = [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => b - a);
    found.push([(pair[0] + .05) / (pair[1] + .05), e.tagName, words[0].data.trim().slice(0, 30)]);
  }
  return found.sort((a, b) => a[0] - b[0]).slice(0, 3);
})()"""
OUTSIDE = """[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, pre, .skip")
  && e.getBoundingClientRect().right > innerWidth + .5).map(e => e.outerHTML.slice(0, 80))"""
UNREACHABLE = """[...document.querySelectorAll("body *")].filter(e => e.tabIndex < 0
  && ["auto", "scroll"].includes(getComputedStyle(e).overflowX)
  && e.scrollWidth > e.clientWidth).map(e => e.outerHTML.slice(0, 80))"""
HEADINGS = """[...document.querySelectorAll("h1, h2, h3, h4")].map(e => Number(e.tagName[1]))"""
BROKEN = """[...document.images].filter(i => !i.naturalWidth).length"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: pytest.TempPathFactory,
    report: Report,
    files: dict[str, bytes],
    hostile_files: dict[str, bytes],
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    contents = {
        "plain": files["report.html"],
        "hostile": hostile_files["report.html"],
        "proposed": _with_more(report, files).encode(),
    }
    for name, content in contents.items():
        (folder / f"{name}.html").write_bytes(content)
    return {name: folder / f"{name}.html" for name in contents}


def _with_more(report: Report, files: dict[str, bytes]) -> str:
    held = io.BytesIO()
    Image.new("RGB", (160, 120), "teal").save(held, "JPEG")
    picture = base64.b64encode(held.getvalue()).decode()
    shown = [replace(each, text="", picture=picture) for each in report.examples]
    charts = {
        name: Chart("A chart", "How to read it.", "What it shows, in words.", files[path])
        for path in files
        if (name := path.removeprefix("plots/").removesuffix(".png")) != path
    }
    made = replace(report, examples=tuple(shown), proposal=proposals.after_pilot())
    return html_page(made, charts)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["plain", "hostile", "proposed"])
def test_page_shows_without_complaint(
    name: str, size: tuple[int, int], dark: bool, browser: Browser, pages: dict[str, Path]
) -> None:
    browser.show(pages[name], *size, dark=dark)
    assert browser.complaints == []
    assert browser.value("innerWidth") == size[0]
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    assert browser.value(OUTSIDE) == []
    assert browser.value(UNREACHABLE) == []
    assert browser.value(BROKEN) == 0
    shade = browser.value("getComputedStyle(document.body).backgroundColor")
    assert (max(int(part) for part in shade[4:-1].split(",")) < 64) == dark
    if name == "proposed":
        ratio = browser.value(
            "[document.querySelector('.examples img')].map(i => i.width / i.height)"
        )
        assert ratio == [pytest.approx(160 / 120, abs=0.02)]
    lowest = browser.value(CONTRAST)
    assert lowest[0][0] >= 4.5, lowest


@pytest.mark.parametrize("name", ["plain", "proposed"])
def test_first_screen_holds_the_three_answers(
    name: str, browser: Browser, pages: dict[str, Path]
) -> None:
    browser.show(pages[name], *DESKTOP)
    ends = browser.value(
        "[...document.querySelectorAll('.answers article')]"
        ".map(e => e.getBoundingClientRect().bottom)"
    )
    assert len(ends) == 3 and max(ends) <= DESKTOP[1]
    how = browser.value("document.querySelectorAll('.answers article')[2].innerText")
    assert ("Proposed by the planner after a pilot" in how) == (name == "proposed")


def test_keyboard_reaches_the_skip_link_first(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["plain"], *PHONE)
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab")
    focused = "document.activeElement"
    assert browser.value(f"{focused}.className") == "skip"
    assert browser.value(f"{focused}.getBoundingClientRect().left >= 0")
    assert browser.value(f"getComputedStyle({focused}).outlineStyle") == "solid"


def test_screen_reader_finds_names_and_order(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["proposed"], *DESKTOP)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    named = [(_of(node, "role"), _of(node, "name")) for node in nodes if not node["ignored"]]
    roles = [role for role, _ in named]
    assert {"banner", "navigation", "main"} <= set(roles)
    assert roles.count("table") >= 8
    for role, name in named:
        if role in ("table", "image", "region", "link", "navigation"):
            assert name, role
    levels = browser.value(HEADINGS)
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def _of(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", ""))
