"""Websites in a real Chromium, as the service sends them: valid, accessible, laid out
for every width, and without anything lost."""

import html
import json
import re
import subprocess
import urllib.parse

import pytest

import campaign_cases
from browser import DESKTOP, NARROW, PHONE, WALL, axe_violations, need, nu_errors

pytestmark = pytest.mark.browser

EXAMPLES = ("maple-transit", "brasserie-du-fleuve", "solar-coop", "example")
OWN = [name for name in (*EXAMPLES, *campaign_cases.HARD)
       if name not in ("solar-coop", "bare-page")]
READY = ("solar-coop", "bare-page")
NAMES = (*OWN, *READY)
# Colours change neither markup nor layout.
SHAPES = [name for name in NAMES if not name.startswith("colours")]


def file_url(site):
    return site.file.as_uri()


# ---- the markup ----

@pytest.fixture
def all_files(sites):
    """The websites of all campaigns that are here."""
    files = []
    for name in NAMES:
        try:
            files.append(sites(name).file)
        except pytest.skip.Exception:
            assert name in EXAMPLES and name != "example"
    return files


def test_the_nu_checker_finds_no_error(all_files, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text("<p><li></p>")
    assert nu_errors([bad])[0] != 0, "the checker finds nothing at all"
    status, text = nu_errors(all_files)
    assert status == 0 and text == "", text[:4000]


FACTS = """() => ({
    h1: document.querySelectorAll('h1').length,
    lang: document.documentElement.lang, dir: document.documentElement.dir,
    doctype: document.doctype && document.doctype.name, mode: document.compatMode,
    charset: document.characterSet, title: document.title,
    viewport: !!document.querySelector('meta[name=viewport]'),
    landmarks: ['header', 'main', 'nav', 'footer'].filter(
        tag => document.querySelectorAll(`body > ${tag}, body > div > ${tag}`).length === 1),
    description: document.querySelector('meta[name=description]')?.content,
    og: ['og:title', 'og:type', 'og:description'].filter(
        name => document.querySelector(`meta[property="${name}"]`)?.content),
    scripts: document.scripts.length,
    ids: [...document.querySelectorAll('[id]')].map(e => e.id),
    targets: [...document.querySelectorAll('a[href^="#"]')].map(a => a.hash.slice(1)),
    levels: [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1]),
})"""


@pytest.mark.parametrize("name", [name for name in OWN if name in SHAPES])
def test_what_every_page_has(browser, sites, name):
    visit = browser.visit(file_url(sites(name)))
    facts = visit.look(FACTS)
    visit.close()
    assert facts["h1"] == 1 and facts["scripts"] == 0
    assert facts["doctype"] == "html" and facts["mode"] == "CSS1Compat"
    assert facts["charset"] == "UTF-8" and facts["viewport"]
    assert facts["title"] and facts["landmarks"] == ["header", "main", "nav", "footer"]
    assert "og:title" in facts["og"] and "og:type" in facts["og"]
    if name != "empty":
        assert facts["description"] and "og:description" in facts["og"]
    assert facts["lang"] == {"brasserie-du-fleuve": "fr", "arabic": "ar", "hebrew": "he",
                             "japanese": "ja"}.get(name, facts["lang"])[:2] or \
        facts["lang"].startswith("fr")
    assert facts["dir"] == ("rtl" if name in ("arabic", "hebrew") else "ltr")
    assert len(set(facts["ids"])) == len(facts["ids"])
    assert set(facts["targets"]) <= set(facts["ids"])
    assert facts["levels"][0] == 1


# ---- how it is laid out ----

SPREAD = """() => ({
    page: document.documentElement.scrollWidth - innerWidth,
    outside: [...document.querySelectorAll('main *, header *, footer *')].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) &&
               !e.closest('.scroll table, pre, svg, .vh, .skip');
    }).map(e => e.outerHTML.slice(0, 120)).slice(0, 5),
    size: parseFloat(getComputedStyle(document.body).fontSize),
})"""


@pytest.mark.parametrize("name", SHAPES)
def test_no_page_scrolls_sideways(browser, sites, name):
    visit = browser.visit(file_url(sites(name)))
    for size in (NARROW, PHONE, DESKTOP, WALL):
        visit.show(size)
        spread = visit.look(SPREAD)
        assert spread["page"] <= 0 and spread["outside"] == [], size
        assert spread["size"] >= 16
    visit.close()


def test_type_grows_with_a_wall(browser, sites):
    sizes = []
    for size in (DESKTOP, WALL):
        visit = browser.visit(file_url(sites("example")), size)
        sizes.append(visit.look(SPREAD)["size"])
        visit.close()
    assert sizes[1] > 1.4 * sizes[0]


def test_a_wide_table_scrolls_within_its_frame(browser, sites):
    visit = browser.visit(file_url(sites("wide-table")), PHONE)
    frames = visit.look("""() => [...document.querySelectorAll('.scroll')].map(e => ({
        more: e.scrollWidth - e.clientWidth, focus: e.tabIndex, name: e.ariaLabel,
        style: getComputedStyle(e).overflowX}))""")
    visit.close()
    wide = [frame for frame in frames if frame["more"] > 1000]
    assert wide and all(f["focus"] == 0 and f["name"] and f["style"] == "auto" for f in frames)


# ---- accessibility ----

@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_violation(browser, sites, name):
    """All rules once; then those that the window and the colours can change."""
    visit = browser.visit(file_url(sites(name)))
    assert axe_violations(visit) == []
    looks = [(PHONE, "dark")]
    if name in EXAMPLES or name == "arabic":
        looks += [(PHONE, "light"), (DESKTOP, "dark")]
    for size, scheme in looks:
        visit.show(size, scheme)
        found = axe_violations(visit, ["color-contrast", "target-size", "link-in-text-block",
                                       "scrollable-region-focusable"])
        assert found == [], (size, scheme)
    visit.close()


def test_axe_would_find_something(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text("<!DOCTYPE html><title>x</title><p style='color:#aaa;background:#fff'>pale")
    visit = browser.visit(page.as_uri())
    found = " ".join(axe_violations(visit))
    visit.close()
    assert "color-contrast" in found and "html-has-lang" in found


@pytest.mark.parametrize("name", ["example", "colours-2", "colours-5"])
def test_dark_and_light_are_two_looks(browser, sites, name):
    grounds = []
    for scheme in ("light", "dark"):
        visit = browser.visit(file_url(sites(name)), scheme=scheme)
        grounds.append(visit.look("getComputedStyle(document.body).backgroundColor"))
        visit.close()
    light, dark = (sum(map(int, re.findall(r"\d+", ground)[:3])) for ground in grounds)
    assert light > 600 and dark < 150


# ---- as the service sends it ----

@pytest.mark.parametrize("name", [*EXAMPLES, "arabic", "bare-page"])
def test_it_looks_right_under_the_services_headers(browser, sites, name):
    """The policy lets the style in, stops scripts, and Chromium complains of nothing."""
    served = browser.visit(sites(name).link)
    policy = served.answer.headers["content-security-policy"]
    assert policy.startswith("sandbox") and "allow-scripts" not in policy
    assert served.answer.headers["x-content-type-options"] == "nosniff"
    look = """() => [...document.querySelectorAll('h1,h2,p,table,svg')].slice(0, 400).map(e => {
        const box = e.getBoundingClientRect(), style = getComputedStyle(e);
        return [Math.round(box.x), Math.round(box.width), style.color, style.fontSize];
    })"""
    shown = served.look(look)
    noise = served.console + served.errors
    others = [url for url in served.requests if url != sites(name).link]
    served.close()
    alone = browser.visit(file_url(sites(name)))
    assert shown == alone.look(look) and len(shown) >= 2
    alone.close()
    assert noise == [] and others == []


def test_the_plain_sandbox_is_enough(browser, sites):
    """Nothing but `Content-Security-Policy: sandbox`, as another host may send it."""
    body = sites("example").file.read_bytes()
    context = browser.chromium.new_context(viewport={"width": 1440, "height": 900})
    context.route("**/*", lambda route: route.fulfill(
        body=body, headers={"Content-Type": "text/html; charset=utf-8",
                            "Content-Security-Policy": "sandbox"}))
    page = context.new_page()
    noise = []
    page.on("console", lambda line: noise.append(line.text))
    page.goto("http://127.0.0.1/website")
    fill = page.evaluate("getComputedStyle(document.querySelector('.hero')).backgroundColor")
    context.close()
    assert fill != "rgba(0, 0, 0, 0)" and noise == []


# ---- print ----

def test_print_shows_what_is_folded(browser, sites, tmp_path):
    context = browser.chromium.new_context()
    page = context.new_page()
    page.goto(file_url(sites("example")))
    shown = page.evaluate("""[...document.querySelectorAll('.fold')].map(fold => {
        fold.open = true;
        const text = fold.innerText;
        fold.open = false;
        return text;
    })""")
    printed = tmp_path / "print.pdf"
    page.pdf(path=str(printed), format="A4", print_background=True)
    context.close()
    text = subprocess.run([need("pdftotext"), printed, "-"], capture_output=True, text=True,
                          check=True).stdout
    squeezed = re.sub(r"\W+", "", text)
    lost = [word for fold in shown for word in re.findall(r"\w{4,}", fold) if word not in squeezed]
    assert shown and lost == []


# ---- nothing is lost ----

def strings_of(value, names=False):
    """All texts; the members' names as well where they are the generator's own."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name if names else ""
            yield from strings_of(part, names)
    elif isinstance(value, list):
        for part in value:
            yield from strings_of(part, names)


def words_of(site):
    """Every word of brief and state, without the markup of Markdown and HTML."""
    state = json.loads(site.state)
    artifacts = state.pop("artifacts", {})
    artifacts.pop("web_developer", None)
    texts = [*strings_of(site.brief), *strings_of(state)]
    for name, artifact in artifacts.items():
        # a media plan's columns have names in the page's language
        texts += strings_of(artifact, names=name != "media_plan")
    for text in texts:
        text = re.sub(r"</?[A-Za-z][^<>]*>|<!--|-->|```+\s*\w*", " ", text)
        for word in re.findall(r"\w{2,}", html.unescape(text).replace("_", " ")):
            yield word.casefold()


@pytest.mark.parametrize("name", [name for name in OWN if name in SHAPES])
def test_every_word_of_the_state_is_in_the_page(browser, sites, name):
    site = sites(name)
    visit = browser.visit(file_url(site))
    text = visit.look("document.body.textContent")
    links = visit.look("[...document.links].map(a => a.getAttribute('href')).join(' ')")
    visit.close()
    shown = re.sub(r"[\W_]+", "", text + urllib.parse.unquote(links)).casefold()
    words = set(words_of(site))
    assert words or name == "empty"
    assert sorted(word for word in words if word not in shown) == []


# ---- ready pages ----

def test_a_ready_page_keeps_what_it_is(browser, sites):
    """The page of the generator, without the fences and the talk around it."""
    ready = json.loads(sites("solar-coop").state)["artifacts"]["web_developer"]["campaign_website"]
    visit = browser.visit(file_url(sites("solar-coop")))
    text = visit.look("document.body.innerText")
    title, button = visit.look("[document.title, getComputedStyle("
                               "document.querySelector('.btn')).backgroundColor]")
    visit.close()
    assert "```" not in text and "complete, production-ready" not in text
    assert "Let me know" not in text
    assert title == re.search(r"<title>(.*?)</title>", ready)[1]
    assert button != "rgba(0, 0, 0, 0)"
    assert sites("solar-coop").render["website_supplied"] is True


def test_what_a_bare_ready_page_lacks_is_added(browser, sites):
    visit = browser.visit(file_url(sites("bare-page")))
    facts = visit.look(FACTS)
    text = visit.look("document.body.innerText")
    visit.close()
    assert facts["mode"] == "CSS1Compat" and facts["charset"] == "UTF-8"
    assert facts["viewport"] and facts["lang"] and facts["title"] == "A Bare Page"
    assert "Café crème — déjà vu" in text and "~~~" not in text and "Sure!" not in text
    assert sites("bare-page").render["website_supplied"] is True


def test_a_broken_page_is_replaced_and_the_answer_says_so(browser, sites):
    render = sites("broken-page").render
    assert render["website_supplied"] is False
    assert "/artifacts/web_developer/campaign_website" in render["website_note"]
    visit = browser.visit(file_url(sites("broken-page")))
    assert visit.look("document.querySelector('h1').innerText") == "A Page That Breaks Off"
    visit.close()
