"""The PDF reports beside the websites: sound files, fonts inside, nothing that acts, and
every word of the state."""

import json
import re
import subprocess
import unicodedata
import urllib.parse

import pytest

import campaign_cases
from browser import need
from client import Client
from test_browser_pages import EXAMPLES, words_of

pytestmark = pytest.mark.browser

NAMES = [*EXAMPLES, *(name for name in campaign_cases.HARD if not name.startswith("colours"))]
ACTIVE = {"/JavaScript", "/JS", "/Launch", "/AA", "/EmbeddedFile", "/EmbeddedFiles", "/OpenAction",
          "/AcroForm", "/RichMedia", "/SubmitForm", "/ImportData", "/GoToR", "/GoToE", "/XFA"}


def run(*command):
    return subprocess.run([need(command[0]), *command[1:]], capture_output=True, text=True,
                          check=False, timeout=600)


def walk(value):
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from walk(part)
    elif isinstance(value, list):
        for part in value:
            yield from walk(part)


def assert_sound(pdf):
    """qpdf has nothing to say, and no dictionary of the file acts."""
    checked = run("qpdf", "--check", pdf)
    assert checked.returncode == 0 and "WARNING" not in checked.stdout + checked.stderr
    listed = run("qpdf", "--json=2", "--json-key=qpdf", pdf)
    assert listed.returncode == 0, listed.stderr
    addresses = []
    for entry in walk(json.loads(listed.stdout)["qpdf"]):
        assert not ACTIVE & entry.keys(), entry
        names = {value for value in entry.values() if isinstance(value, str)}
        assert not ACTIVE & names, entry
        if entry.get("/S") == "/URI":
            addresses.append(entry["/URI"].removeprefix("u:"))
        elif "/A" in entry and isinstance(entry["/A"], dict):
            assert entry["/A"].get("/S") in ("/URI", "/GoTo"), entry
    assert all(re.match(r"(https?://|mailto:)", address) for address in addresses), addresses
    return addresses


def assert_embedded(pdf):
    fonts = run("pdffonts", pdf).stdout.splitlines()[2:]
    assert fonts
    for line in fonts:
        embedded, subset, mapped = line.split()[-5:-2]
        assert (embedded, mapped) == ("yes", "yes"), line
        assert subset in ("yes", "no")


@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_sound(sites, name):
    pdf = sites(name).pdf
    assert_sound(pdf)
    assert_embedded(pdf)
    info = run("pdfinfo", pdf).stdout
    assert re.search(r"^Title: +\S", info, re.M) and re.search(r"^Pages: +\d+$", info, re.M)
    assert "JavaScript:      no" in info and "Form:            none" in info


@pytest.mark.parametrize("name", NAMES)
def test_every_word_of_the_state_is_in_the_report(sites, name):
    site = sites(name)
    links = " ".join(assert_sound(site.pdf))
    shown = [plain(run("pdftotext", *layout, site.pdf, "-").stdout + links
                   + urllib.parse.unquote(links)) for layout in ([], ["-layout"], ["-raw"])]
    lost = sorted(word for word in set(words_of(site))
                  if not any(plain(word) in text for text in shown))
    assert lost == []


def plain(text):
    """Only the letters; a ligature as what it stands for."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()


def test_a_hostile_state_makes_a_harmless_report(harmful):
    addresses = assert_sound(harmful.pdf)
    assert_embedded(harmful.pdf)
    assert not any("javascript" in address.split("?")[0].lower().split(":")[0] for address in addresses)
    text = run("pdftotext", harmful.pdf, "-").stdout
    assert "endstream endobj" in re.sub(r"\s+", " ", text) and "{{title}}" in text


# ---- setting ----

PARAGRAPHS = 70


def long_text():
    """Numbered headings and paragraphs of two to seven lines, each word with its number."""
    parts = []
    for number in range(PARAGRAPHS):
        words = " ".join(f"p{number:02}w{word:03}" for word in range(20 + number * 7 % 55))
        parts.append((f"### h{number:02}\n\n" if number % 3 == 0 else "") + words)
    return "\n\n".join(parts)


@pytest.fixture
def letter(make_stack, tmp_path):
    """A report on US Letter, of a text that fills pages."""
    stack = make_stack(settings={"RENDER_PAGE_SIZE": "Letter"})
    user = Client(stack, stack.token("alice"))
    campaign_id = user.create(brief={"product": "Type", "language": "en-GB", "client": "Setters & Sons"})
    assert user.complete(campaign_id, {"artifacts": {"strategy": long_text()}}).status_code == 200
    path = tmp_path / "report.pdf"
    path.write_bytes(user.get(f"/campaigns/{campaign_id}/pdf").content)
    user.close()
    return path


def test_no_page_begins_or_ends_with_a_lone_line(letter):
    pages = run("pdftotext", "-layout", letter, "-").stdout.split("\f")
    split = 0
    lines = {}  # paragraph: how many lines on each page
    for page_number, page in enumerate(pages):
        for line in page.splitlines():
            for paragraph in set(re.findall(r"p(\d\d)w\d{3}", line)):
                lines.setdefault(paragraph, {}).setdefault(page_number, 0)
                lines[paragraph][page_number] += 1
    assert len(lines) == PARAGRAPHS
    for paragraph, counts in lines.items():
        if len(counts) > 1:
            split += 1
            assert min(counts.values()) >= 2, f"paragraph {paragraph}: {counts}"
    assert split > 0, "no paragraph crossed a page: the text is no trial"


def test_a_heading_stays_with_what_follows_it(letter):
    found = 0
    for page in run("pdftotext", "-layout", letter, "-").stdout.split("\f"):
        body = [line.strip() for line in page.splitlines()
                if re.match(r"\s*(h\d\d$|p\d\dw)", line)]
        found += sum(line.startswith("h") for line in body)
        assert not body or not body[-1].startswith("h"), body[-3:]
    assert found == len(range(0, PARAGRAPHS, 3))


def test_paper_pages_and_facts_are_as_set(letter):
    info = run("pdfinfo", letter).stdout
    assert re.search(r"^Page size: +612 x 792 pts \(letter\)$", info, re.M), info
    assert re.search(r"^Author: +Setters & Sons$", info, re.M), info
    count = int(re.search(r"^Pages: +(\d+)$", info, re.M)[1])
    pages = run("pdftotext", "-layout", letter, "-").stdout.split("\f")
    for number in range(2, count + 1):
        assert f"Page {number} of {count}" in pages[number - 1]
    catalog = run("qpdf", "--json=2", "--json-key=qpdf", letter).stdout
    assert '"/Lang": "u:en-GB"' in catalog and '"/Outlines"' in catalog
