"""Rankings of the authors' predictions: the steps of printed tables, and leads of rows without a file."""

import pytest
from msgspec import structs
from typed import present

from bench.results.snapshot import Snapshot
from protocols import PROTOCOLS
from reports.data.authors import with_authors
from reports.data.published import papers
from reports.data.rankings import Ranking, gain, rankings
from reports.ledger.evidence import Evidence, table
from reports.ledger.sampling_checks import beyond_chance
from reports.pages.rankings import rankings_page, survival


@pytest.fixture(scope="module")
def site() -> Snapshot:
    return with_authors(Snapshot([], [], [], list(PROTOCOLS.values())))


@pytest.fixture(scope="module")
def person_centric(site) -> Ranking:
    (found,) = (one for one in rankings(site) if one.place == ("lsp-pck", "lsp", "test"))
    return found


def test_thirteen_methods_and_all_their_pairs(site, person_centric):
    assert len(person_centric.cells) == 13 and len(person_centric.pairs) == 13 * 12 / 2
    assert list(person_centric.scores) == sorted(person_centric.scores, reverse=True)
    assert {one.place for one in rankings(site)} == {("lsp-pck", "lsp", "test"), ("lsp-pcp", "lsp", "test")}


def test_the_order_of_two_best_rows_is_not_decided(person_centric):
    """By hand from both files: Bulat 90.7 - Wei 90.5 = +0.17 [-0.61, 0.94]."""
    pair = person_centric.between["bulat2016", "wei2016"]
    assert (pair.difference, pair.low, pair.high) == pytest.approx((0.17, -0.61, 0.94), abs=0.005)
    assert not person_centric.decided("wei2016", "bulat2016")
    assert person_centric.decided("insafutdinov2016", "pishchulin2016")


def test_every_table_says_how_many_steps_are_larger_than_chance(site, person_centric):
    """Six rows with a file are five steps; two of them, 87.1 -> 90.1 and 85.2 -> 86.7, are decided."""
    for key, name in (("chu2017", "Table 2"), ("yang2017", "Table 2"), ("liu2018", "Table 6")):
        said = survival(papers()[key], rankings(site))
        assert [*said] == [name]
        assert said[name].startswith("Of the 5 steps of this ranking between rows with predictions, 2 are larger")
    assert not survival(papers()["li2019"], rankings(site))


def test_a_lead_is_held_against_the_spread_of_such_scores(person_centric):
    values = {value.value: value for value in papers()["liu2018"].values()
              if (value.table, value.column) == ("Table 6", "Mean")}  # fmt: skip
    spread = person_centric.spread
    assert gain(values[92.6], values[90.7], spread).larger is True
    assert gain(values[93.6], values[92.6], spread).larger is None, "it depends on how alike the two err"
    assert gain(structs.replace(values[92.6], value=90.8), values[90.7], spread).larger is False


@pytest.mark.parametrize(
    ("paper", "name", "row", "rival", "holds"),
    [
        ("chu2017", "Table 2", "Ours", "Bulat&Tzimiropoulos [5]", "yes"),
        ("yang2017", "Table 2", "Ours", "Bulat&Tzimiropoulos [5]", "yes"),
        ("liu2018", "Table 6", "AIOI+CJN", "Chu et al.", "undecided"),
    ],
)
def test_claims_of_the_state_of_the_art_rest_on_it(site, paper, name, row, rival, holds):
    ask = beyond_chance(table(paper, name), row, rival)
    assert present(ask(Evidence(papers(), site))).holds == holds
    assert ask(Evidence(papers(), Snapshot([], [], [], []))) is None


def test_the_page_names_every_method(site):
    page = rankings_page(rankings(site), papers().values())
    neighbours = page.all_sheets["lsp-pck-lsp-test-neighbours"]
    assert [row[1] for row in neighbours.values][:2] == ["Bulat & Tzimiropoulos 2016", "Wei et al. 2016"]
    assert len(page.all_sheets["lsp-pck-lsp-test-pairs"].rows) == 78
