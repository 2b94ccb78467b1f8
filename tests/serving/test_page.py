"""The page, in a real browser."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from small_service import ITEMS, events, fitted, running

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder, NgramTextEncoder
from skrec.interactions import FeatureTable
from skrec.llm import ConversationalRecommender
from skrec.neighbors import ItemKNNRecommender
from skrec.serving import ServiceLimits, make_app

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
WITHOUT_RATE = ServiceLimits(rate=0)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page of a fresh profile, in which nothing may go wrong unseen."""
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(20_000)
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    yield page
    context.close()
    assert faults == []


@pytest.fixture(scope="module")
def address():
    with running(make_app(fitted(), version="1", limits=WITHOUT_RATE)) as address:
        yield address


def titles(page):
    return page.locator("#items .title").all_inner_texts()


def test_a_list_with_titles_and_reasons(page, address):
    page.goto(f"{address}/?user=u1")
    page.wait_for_selector("#items li")
    assert "For u1" in page.inner_text("#status")
    assert set(titles(page)) <= set(ITEMS["title"])
    assert "ItemKNNRecommender, 8 items, version 1" in page.inner_text("#model")
    assert page.locator("#items li").first.inner_text().count("\n") >= 2  # title, id and reason


def test_somebody_new_types_a_name_and_presses_enter(page, address):
    page.goto(address)
    page.get_by_label("User").fill("nobody knows me")
    page.keyboard.press("Enter")
    page.wait_for_selector("#items li")
    assert "nobody knows me, who has no events" in page.inner_text("#status")
    assert len(titles(page)) == 8


def test_what_is_disliked_leaves_the_list_and_what_is_liked_becomes_history(page, address):
    page.goto(f"{address}/?user=somebody")
    page.wait_for_selector("#items li")
    gone, liked = titles(page)[:2]
    page.get_by_role("button", name=f"Not for me: {gone}").click()
    page.wait_for_function(
        "title => ![...document.querySelectorAll('.title')].some(x => x.innerText == title)", arg=gone
    )
    page.get_by_role("button", name=f"Like: {liked}").click()
    page.wait_for_function("() => document.querySelectorAll('#items li').length == 6")
    assert liked not in titles(page)
    assert f"somebody: {gone} – not for me" in page.inner_text("#chosen")
    page.get_by_role("button", name="Forget it").click()
    page.wait_for_function("() => document.querySelectorAll('#items li').length == 8")


def test_search_and_similar_items(page, address):
    page.goto(address)
    page.get_by_label("Search the catalogue").fill("a book about dracula")
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_selector("#items li")
    assert titles(page)[0] == "Dracula"
    page.get_by_role("button", name="Similar: Dracula").click()
    page.wait_for_function("() => document.querySelector('#status').innerText.includes('Similar to')")
    assert "Dracula" not in titles(page)


def test_in_chinese_and_back(page, address):
    page.goto(f"{address}/?user=u1&language=zh")
    page.wait_for_selector("#items li")
    assert page.get_attribute("html", "lang") == "zh-Hans"
    assert page.get_by_role("button", name="推荐", exact=True).is_visible()
    page.get_by_label("语言").select_option("en")
    page.wait_for_function("() => document.querySelector('#status').innerText.startsWith('For u1')")
    assert page.get_by_role("button", name="Recommend", exact=True).is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_screens_and_colours(browser, address, scheme):
    context = browser.new_context(viewport={"width": 340, "height": 700}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{address}/?user=u1")
    page.wait_for_selector("#items li")
    width, shown, back = page.evaluate(
        "() => [document.documentElement.scrollWidth, innerWidth, getComputedStyle(document.body).backgroundColor]"
    )
    context.close()
    assert width <= shown
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")


def test_every_field_and_button_has_a_name(page, address):
    page.goto(f"{address}/?user=u1")
    page.wait_for_selector("#items li")
    unnamed = page.evaluate(
        "() => [...document.querySelectorAll('input, select, button')].filter(x => "
        "!(x.innerText.trim() || x.labels?.[0]?.innerText.trim() || x.getAttribute('aria-label')) && x.offsetParent)"
        ".map(x => x.id)"
    )
    assert unnamed == []
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"


def test_titles_and_queries_are_text(page):
    """Markup in a title is shown, not run."""
    hostile = ITEMS.assign(title=[f"<img src=x onerror=alert({at})>" for at in range(8)])
    rec = ItemKNNRecommender(item_encoder=LLMTextEmbedder(HashingTextEncoder())).fit(events(), item_features=hostile)
    models = {"<img src=x onerror=alert(9)>": rec, "</option><script>alert(10)</script>": rec}
    with running(make_app(models, limits=WITHOUT_RATE, user_list=True)) as address:
        page.goto(f"{address}/?user=<script>alert(1)</script>")
        page.wait_for_selector("#items li")
        assert titles(page)[0].startswith("<img src=x")
        page.get_by_label("Search the catalogue").fill("<b>bold</b>")
        page.get_by_role("button", name="Search", exact=True).click()
        page.wait_for_function("() => document.querySelector('#status').innerText.includes('<b>bold</b>')")
        assert page.locator("body img, body b, body script").count() == 0


def test_the_page_asks_for_the_key(page, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "a long secret")
    with running(make_app(fitted(), api_key_env="SHOP_KEY", limits=WITHOUT_RATE)) as address:
        page.goto(f"{address}/?user=u1")
        page.wait_for_selector("#key-form:not([hidden])")
        assert "needs an API key" in page.inner_text("#error")
        page.get_by_label("API key").fill("a long secret")
        page.keyboard.press("Enter")
        page.wait_for_function(
            "() => document.querySelector('#key-form').hidden && !document.querySelector('#error').innerText"
        )
        page.get_by_role("button", name="Recommend", exact=True).click()
        page.wait_for_selector("#items li")


def test_context_is_asked_for(page):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"user": rng.integers(0, 9, 60), "item": rng.integers(0, 8, 60), "evening": rng.integers(0, 2, 60)}
    )
    rec = HybridMFRecommender(n_factors=4, random_state=0).fit(X)
    with running(make_app(rec, limits=WITHOUT_RATE)) as address:
        page.goto(address)
        page.get_by_label("User").fill("3")
        page.get_by_label("evening").fill("1")
        sent = []
        page.on("request", lambda request: sent.append(request.post_data) if "recommend" in request.url else None)
        page.get_by_role("button", name="Recommend", exact=True).click()
        page.wait_for_function("() => document.querySelector('#status').innerText.startsWith('For 3')")
        assert '"users":[3]' in sent[0]
        assert '"context":[{"evening":1}]' in sent[0]


def test_feedback_is_learned_at_once(page, tmp_path):
    app = make_app(fitted(), feedback_log=tmp_path / "feedback.sqlite", limits=WITHOUT_RATE)
    with running(app) as address:
        page.goto(f"{address}/?user=somebody")
        page.wait_for_selector("#items li")
        before = page.inner_text("#model")
        liked = titles(page)[0]
        page.get_by_role("button", name=f"Like: {liked}").click()
        page.wait_for_function("text => document.querySelector('#model').innerText != text", arg=before)
        page.wait_for_function("() => document.querySelectorAll('#items li').length == 7")
        assert "Sent to the service" in page.inner_text("#choices-note")


def test_a_conversation(page):
    rec = ConversationalRecommender(fitted()).fit(events(), item_features=ITEMS)
    with running(make_app(rec, limits=WITHOUT_RATE)) as address:
        page.goto(address)
        page.get_by_label("Your message").fill("a book about dracula")
        page.keyboard.press("Enter")
        page.wait_for_selector("#turns li:not(.mine)")
        page.wait_for_selector("#items li")
        assert page.inner_text("#turns li.mine") == "a book about dracula"


@pytest.fixture(scope="module")
def two_models():
    """Two whose catalogues differ by a book."""
    fewer = pd.DataFrame(ITEMS).iloc[:7]
    other = PopularRecommender().fit(events()[events()["item"] != "bk-7"], item_features=FeatureTable(fewer))
    app = make_app({"neighbours": fitted(), "popular": other}, version="1", limits=WITHOUT_RATE, user_list=True)
    with running(app) as address:
        yield address


def columns(page):
    return [page.locator(f"#{name} .title").all_inner_texts() for name in ("items", "items-1")]


def wait_for_both(page):
    page.wait_for_selector("#items-1 li")
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")


def test_two_models_side_by_side(page, two_models):
    page.goto(f"{two_models}/?user=nobody")
    wait_for_both(page)
    left, right = columns(page)
    assert (len(left), len(right)) == (8, 7)
    assert page.inner_text("#name-0") == "neighbours (version 1)"
    assert page.inner_text("#name-1") == "popular (version 1)"
    place = right.index(left[0]) + 1 if left[0] in right else None
    said = page.locator("#items li").first.locator(".other").inner_text()
    assert said == (f"popular: place {place}" if place else "popular: not in its list")
    boxes = [page.locator(f"#{name}").bounding_box() for name in ("items", "items-1")]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    page.set_viewport_size({"width": 340, "height": 700})
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    boxes = [page.locator(f"#{name}").bounding_box() for name in ("items", "items-1")]
    assert boxes[0]["x"] == boxes[1]["x"]


def test_what_one_model_cannot_do_is_said_in_its_column(page, two_models):
    page.goto(two_models)
    page.get_by_label("Search the catalogue").fill("a book about dracula")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('.note')[1].innerText")
    assert columns(page)[0][0] == "Dracula"
    assert page.locator(".note").nth(1).inner_text() == "popular cannot do this."


def test_a_choice_that_one_model_does_not_know(page, two_models):
    page.goto(f"{two_models}/?user=nobody")
    wait_for_both(page)
    page.get_by_role("button", name="Not for me: Lord Jim").click()
    page.wait_for_function("() => document.querySelectorAll('#items li').length == 7")
    wait_for_both(page)
    assert "Lord Jim" not in columns(page)[0]
    assert len(columns(page)[1]) == 7
    assert page.locator(".note.bad").count() == 0


def test_models_and_users_are_chosen_by_keyboard(page, two_models):
    page.goto(f"{two_models}/?language=zh")
    page.wait_for_selector("#models:not([hidden])")
    page.get_by_label("并排比较").focus()
    page.keyboard.press("Home")
    page.get_by_label("用户").press_sequentially("u1")
    page.wait_for_function("() => document.querySelectorAll('#users option').length == 3")
    assert page.locator("#users option").evaluate_all("all => all.map(x => x.value)") == ["u1", "u10", "u11"]
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_selector("#items li")
    assert page.locator("#items-1").is_hidden()
    page.get_by_label("并排比较").select_option("popular")
    wait_for_both(page)
    assert page.inner_text("#name-1") == "popular（版本 1）"


def test_a_conversation_with_two_models(page):
    one = ConversationalRecommender(fitted()).fit(events(), item_features=ITEMS)
    with running(make_app({"a": one, "b": one}, limits=WITHOUT_RATE)) as address:
        page.goto(address)
        page.get_by_label("Your message").fill("a book about dracula")
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelectorAll('#turns li:not(.mine)').length == 2")
        wait_for_both(page)
        said = page.locator("#turns li:not(.mine)").all_inner_texts()
        assert sorted(line[:3] for line in said) == ["a: ", "b: "]
        assert columns(page)[0] == columns(page)[1]


VIEWS = [
    (f"{width}-{scheme}-{language}", size, scheme, language)
    for width, size in (("wide", (1100, 900)), ("narrow", (380, 1300)))
    for scheme in ("light", "dark")
    for language in ("en", "zh")
]


GUIDE = {
    "page_wide-light-en": "service_page",
    "two_wide-light-en": "service_two_models",
    "two_narrow-dark-zh": "service_narrow",
}


def take(page, view):
    name = GUIDE.get(view, f"view_{view}")
    page.screenshot(path=os.path.join(os.environ["SKREC_SCREENSHOTS"], f"{name}.png"))


def bookshop_app(language):
    shop = load_bookshop(language=language)
    features = FeatureTable(shop.item_features)
    neighbours = ItemKNNRecommender(item_encoder=NgramTextEncoder(random_state=0))
    neighbours.fit(shop.interactions, item_features=features)
    hybrid = HybridMFRecommender(item_encoder=NgramTextEncoder(random_state=0), random_state=0)
    hybrid.fit(shop.interactions, item_features=features)
    talks = ConversationalRecommender(FrozenEstimator(neighbours)).fit(shop.interactions, item_features=features)
    models = {"neighbours": talks, "hybrid": hybrid}
    return make_app(models, version="1", limits=WITHOUT_RATE, user_list=True), shop.interactions["user"].iloc[0]


@pytest.mark.skipif("SKREC_SCREENSHOTS" not in os.environ, reason="SKREC_SCREENSHOTS names no folder for screenshots")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_screenshots_for_the_guide(browser, language):
    """Each view, to be looked at; the guide shows three of them."""
    app, user = bookshop_app(language)
    with running(app) as address:
        for name, (width, height), scheme, _ in [view for view in VIEWS if view[3] == language]:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            page = context.new_page()
            page.goto(f"{address}/?user={user}&language={language}")
            wait_for_both(page)
            take(page, f"two_{name}")
            page.locator("#second").select_option("")
            page.wait_for_function("() => !document.body.classList.contains('two')")
            take(page, f"page_{name}")
            page.locator("#text").fill("something shorter" if language == "en" else "短一点的")
            page.locator("#text").press("Enter")
            page.wait_for_selector("#turns li:not(.mine)")
            page.wait_for_function("() => !document.querySelector('[aria-busy]')")
            take(page, f"chat_{name}")
            context.close()
