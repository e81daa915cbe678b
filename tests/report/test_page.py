from __future__ import annotations

from html.parser import HTMLParser

import pytest

from hf_transfer_plugin.records import Report
from hf_transfer_plugin.report import draw_charts, html_page
from hf_transfer_plugin.report.canvas import Chart
from tests.report import samples

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def charts(report: Report) -> dict[str, Chart]:
    return draw_charts(report)


@pytest.fixture(scope="module")
def page(files: dict[str, bytes]) -> Page:
    return Page(files["report.html"].decode())


@pytest.fixture(scope="module")
def hostile_page(hostile_files: dict[str, bytes]) -> Page:
    return Page(hostile_files["report.html"].decode())


def test_page_is_well_formed_and_accessible(page: Page) -> None:
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("img")) == 5
    assert all(len(image["alt"] or "") > 40 for image in page.all("img"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    skip = page.all("a")[0]
    assert skip["class"] == "skip" and (skip["href"] or "")[1:] in ids
    for _, attrs in page.tags:
        assert attrs.get("aria-labelledby", ids[0]) in ids


@pytest.mark.parametrize("which", ["page", "hostile_page"])
def test_page_loads_nothing_and_runs_nothing(which: str, request: pytest.FixtureRequest) -> None:
    page: Page = request.getfixturevalue(which)
    assert {"script", "link", "iframe", "object", "form"}.isdisjoint(tag for tag, _ in page.tags)
    for tag, attrs in page.tags:
        assert not any(name.startswith("on") for name in attrs)
        assert "srcset" not in attrs
        if "src" in attrs:
            assert (attrs["src"] or "").startswith("data:image/png;base64,")
        if "href" in attrs:
            assert tag == "a"


def test_style_reads_nothing_from_elsewhere_and_has_a_dark_side(files: dict[str, bytes]) -> None:
    style = files["report.html"].decode().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme: dark" in style


def test_first_screen_answers_what_when_how_in_order(page: Page, report: Report) -> None:
    verdict = report.verdict
    parts = [
        "What to transfer",
        "sample:minilm ranks first of 4 candidates, with linear probe accuracy 0.871",
        "It beats the best comparison without transfer, tfidf-logistic (0.787).",
        "When to transfer",
        "GO",
        f"{100 * verdict.difference:.1f} points of accuracy better than the control “from-scratch”",
        f"95% interval +{100 * verdict.lower:.1f} to +{100 * verdict.upper:.1f} points",
        "5 paired seeds",
        "harm of more than 1 point is ruled out",
        "How to transfer",
        "From the first step until 30% of training (probe): the head, at the full learning rate.",
        "In the last phase 100.0% of the weights train",
        "Peak learning rate 5e-05",
        "Evidence Transfer and every control",
    ]
    places = [page.text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places)


def test_evidence_holds_every_figure(page: Page, report: Report) -> None:
    for result in report.results:
        assert result.plan.name in page.text
    assert "12 duplicates were found in train and test." in page.text
    assert "404: repository not found on the Hub" in page.text
    assert "3.5 M weights 15.6%" in page.text
    assert report.command in page.text
    assert "2 cores" in page.text
    assert len(page.all("table")) == 7


def test_lost_examples_are_shown_and_stay_text(
    page: Page, report: Report, hostile_page: Page, hostile: Report
) -> None:
    assert page.text.count("What is the population of the largest") == len(report.examples) > 0
    evil = f"{samples.SCRIPT} ![x](https://evil.example/x.png)"
    assert hostile_page.text.count(evil) == len(hostile.examples) > 0


def test_drift_and_cost_are_told(page: Page) -> None:
    assert (
        "have moved by 4.5% of their pretrained size (L2 norm), most of all neck: 7.0%" in page.text
    )
    assert "a similarity of 0.87 with the pretrained ones, on 96 validation examples" in page.text
    # 160 seconds of 2 threads at 12 W and 1.5 GB at 0.3725 W.
    assert "transfer 160.0 1,200 1,600 1.50 1.09" in page.text
    assert "Energy is an estimate, not a measurement" in page.text


def test_harm_is_marked_in_the_tables(charts: dict[str, Chart]) -> None:
    page = Page(html_page(samples.report(0.70, 0.86), charts))
    assert "Transfer harmed" in page.text and "NO GO" in page.text
    assert "▼ harmed" in page.text
    assert any(attrs.get("class") == "marked" for attrs in page.all("tr"))


def test_hostile_names_stay_text(hostile_page: Page) -> None:
    assert hostile_page.open == []
    assert hostile_page.text.count(samples.SCRIPT) >= 4
    assert len(hostile_page.all("img")) == 5
    assert samples.TOKEN not in hostile_page.text
    assert "{{ 7*7 }}" in hostile_page.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "", None])
def test_only_a_web_address_becomes_a_link(
    url: str | None, report: Report, charts: dict[str, Chart]
) -> None:
    page = Page(html_page(report, charts, url))
    assert all((link["href"] or "").startswith("#") for link in page.all("a"))


def test_page_without_intervals_says_so(charts: dict[str, Chart]) -> None:
    page = Page(html_page(samples.without_intervals(), charts))
    assert "no interval: too few seeds" in page.text
    assert "No candidate checkpoint could be scored." in page.text
    assert "to the end: all layers, at the full learning rate." in page.text
    assert "nan" not in page.text.lower().split()
