"""The reference on the site: its index leads to every name, and the search knows other names."""

from __future__ import annotations

import re
from urllib.parse import quote

import api
import pytest

pytestmark = pytest.mark.thorough

FINDS = {
    "one-cycle": "schedules/one_cycle",
    "ReduceLROnPlateau": "plateau",
    "lr finder": "range-test",
    "linear decay": "schedules/Linear",
    "linear warmup": "schedules/warmup",
    "SGDR": "schedules/warm_restarts",
    "warm restarts": "schedules/warm_restarts",
    "trapezoidal": "schedules/warmup_stable_decay",
    "WSD": "schedules/warmup_stable_decay",
    "learning rate": "index",
    "scheduler": "index",
    "lr scheduler": "index",
    "hyperparameter sweep": "schedules/stack",
    "discriminative learning rates": "transforms",
    "cosine annealing": "schedules/Cosine",
    "triangular": "schedules/cyclic",
    "Noam": "schedules/noam",
    "step decay": "schedules/step_decay",
    "StepLR": "schedules/step_decay",
}
"""What a reader types, and the page of the reference that is among the first three hits."""

HITS = "all => all.map(link => link.getAttribute('href').split('.html')[0])"


@pytest.fixture(scope="module")
def search(site, browser):
    page = browser.new_context(offline=True).new_page()

    def first_hits(query):
        page.goto(f"{(site / 'search.html').as_uri()}?q={quote(query)}")
        page.locator(".search-summary", has_text=re.compile("finished|did not match")).wait_for()
        return page.eval_on_selector_all(".search > li > a", HITS)[:3]

    yield first_hits
    page.context.close()


@pytest.mark.parametrize("query", FINDS)
def test_the_search_finds_a_page_by_what_it_is_called_elsewhere(search, query):
    assert f"reference/{FINDS[query]}" in search(query)


def test_the_index_leads_to_every_name(site):
    index = (site / "reference" / "index.html").read_text()
    links = set(re.findall(r'href="[\w/-]+\.html#(?:module-)?jaxsched\.([\w.]+)"', index))
    described = {name for page in api.reference_pages() for name in api.documented(page)}
    assert described - {*api.names("types")} == links
