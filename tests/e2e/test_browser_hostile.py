"""A state that wants to do harm, in a real Chromium: no script runs, no request leaves,
through the service and as a file with scripts allowed."""

import json
import re

import pytest

from client import Client
from hostile_campaign import RUN, payloads
from sites import complete

pytestmark = pytest.mark.browser

def poke(visit):
    """What a reader could do: toggles, pointing, focus, every link and button."""
    visit.look("""() => {
        for (const e of document.querySelectorAll('*'))
            for (const kind of ['mouseover', 'focus', 'toggle', 'error', 'load', 'click'])
                if (kind != 'click' || !e.closest('a[href^=http], a[href^=mailto], button'))
                    e.dispatchEvent(new Event(kind, {bubbles: false, cancelable: true}));
    }""")
    visit.page.mouse.move(300, 300)
    visit.page.keyboard.press("Tab")


def assert_quiet(visit, url, canary, complaints=False):
    """Nothing ran and nothing left; with `complaints`, what tried was stopped."""
    ran = visit.look("typeof __ran !== 'undefined'")
    others = [asked for asked in visit.requests if asked.split("#")[0] != url]
    console = [line for line in visit.console if "canary" in line.split("violates")[0]
               and not line.startswith("error")]
    visit.close()
    assert not ran and visit.dialogs == [] and console == []
    assert canary.seen == []
    if not complaints:
        assert visit.console == [] and visit.errors == [] and others == []


def test_the_trap_itself_works(browser, canary, tmp_path):
    """A page that believes the payloads runs them and asks for them."""
    page = tmp_path / "naive.html"
    page.write_text("<!DOCTYPE html><title>x</title>" + "\n".join(payloads(canary.url)[:4]))
    visit = browser.visit(page.as_uri())
    assert visit.look("__ran") == 1 and "canary" in visit.dialogs
    assert any("canary" in line for line in visit.console)
    visit.close()
    assert "/img" in canary.seen or "/srcset" in canary.seen


@pytest.mark.parametrize("way", ["service", "file"])
def test_a_hostile_state_does_nothing(browser, harmful, canary, way):
    url = harmful.link if way == "service" else harmful.file.as_uri()
    visit = browser.visit(url)
    poke(visit)
    markup = visit.look("""() => ({
        active: document.querySelectorAll('script,iframe,object,embed,form,input,button,img,image,'
            + 'video,audio,base,link,template,math,[srcset],[ping],[src],[action]').length,
        handlers: [...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())
            .filter(name => name.startsWith('on')),
        schemes: [...document.querySelectorAll('[href]')].map(e => e.getAttribute('href'))
            .filter(href => !/^(https?:|mailto:|#)/.test(href)),
        refresh: document.querySelectorAll('meta[http-equiv=refresh i]').length,
        styles: document.querySelectorAll('style').length,
        backgrounds: [...document.querySelectorAll('*')].map(e => getComputedStyle(e).backgroundImage)
            .filter(image => image.includes('url(')).length,
        text: document.body.innerText})""")
    assert_quiet(visit, url, canary)
    assert markup["active"] == 0 and markup["handlers"] == [] and markup["schemes"] == []
    assert markup["refresh"] == 0 and markup["styles"] == 1 and markup["backgrounds"] == 0
    assert "{{title}} {{{content}}} {{> page}} {{#sections}}{{/sections}}" in markup["text"]
    assert not re.search("[\u202a-\u202e\0]", markup["text"])


def test_the_style_has_nothing_of_the_colour_scheme_but_colours(harmful):
    text = harmful.file.read_text(encoding="utf-8")
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert "url(" not in style and "@import" not in style and "expression" not in style
    attributes = re.findall(r'style="([^"]*)"', text)
    # a colour, or a mark's place on a chart's axis
    own = re.compile(r"--c:#[0-9a-fA-F]{6}|inset-inline-start:[0-9]+\.[0-9]{2}%")
    assert all(own.fullmatch(value) for value in attributes)


def test_nul_and_other_controls_are_taken_or_refused_whole(browser, stack, canary, tmp_path):
    client = Client(stack, stack.token("mallory"))
    state = '{"artifacts":{"copy":"a\\u0000<scr\\u0000ipt>%s</scr\\u0000ipt> \\u001b[31m\\u0007b"}}' % RUN
    site = complete(client, tmp_path, "nul", {"campaign_name": "Zero"}, state)
    client.close()
    visit = browser.visit(site.file.as_uri())
    poke(visit)
    assert_quiet(visit, site.file.as_uri(), canary)
    assert b"\0" not in site.file.read_bytes() and b"\x1b" not in site.file.read_bytes()


def test_a_hostile_ready_page_is_contained(browser, stack, canary, tmp_path):
    """It keeps its scripts, and the headers keep them from running and asking."""
    page = ("<!DOCTYPE html><html><head><title>Ready</title></head><body><main><h1>Ready page</h1>"
            "<p>Enough text to be a page.</p>" + "\n".join(payloads(canary.url)[:16]) + "</main></body></html>")
    client = Client(stack, stack.token("mallory"))
    site = complete(client, tmp_path, "ready", {"campaign_name": "Ready"},
                    json.dumps({"artifacts": {"web_developer": {"campaign_website": page}}}))
    client.close()
    assert site.render["website_supplied"] is True
    assert b"<script>" in site.file.read_bytes()
    visit = browser.visit(site.link)
    origin, cookie = visit.look("[self.origin, (() => { try { return document.cookie } catch { return null } })()]")
    visit.page.mouse.move(300, 300)
    visit.page.wait_for_timeout(300)  # a refresh of 0 seconds would have been
    address = visit.page.url
    assert_quiet(visit, site.link, canary, complaints=True)
    assert origin == "null" and not cookie and address == site.link
