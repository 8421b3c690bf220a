"""A theme of the administrator's own: used without building anything, refused with
its fault named."""

import shutil
import signal

import pytest

from client import Client
from stack import Stack
from support import StackError, TOP, wait_for

# A theme is the program's own matter, whatever stands in front of it.
pytestmark = pytest.mark.server(supervised=True)
SETTINGS = {"RENDER_THEME": "mine"}


@pytest.fixture
def share(tmp_path):
    """A copy of share/ with a theme `mine`, which is the default one so far."""
    folder = tmp_path / "share"
    shutil.copytree(TOP / "share", folder)
    shutil.copytree(folder / "themes/default", folder / "themes/mine")
    return folder


def test_a_theme_of_ones_own_makes_the_websites(make_stack, share):
    theme = share / "themes/mine"
    (theme / "hero.mustache").write_text(
        "<header class=\"mine\"><h1>{{title}}</h1><p>{{{product}}} {{> motto}}</p></header>\n")
    (theme / "motto.mustache").write_text("<em>made for {{client}}</em>")
    (theme / "style.css").write_text("h1{color:{{light.accent}}}\n")
    stack = make_stack(settings={**SETTINGS, "CAMPAIGN_SHARE_DIR": str(share)})
    user = Client(stack, stack.token("alice"))
    brief = {"campaign_name": "Tea & more", "product": "<b>Tea</b>", "client": "{{title}}",
             "color_scheme": "#123456"}
    campaign_id = user.create(name="Tea & more", brief=brief)
    assert user.complete(campaign_id).status_code == 200
    page = user.get(f"/campaigns/{campaign_id}/website").text
    user.close()
    assert '<header class="mine"><h1>Tea &amp; more</h1>' in page
    assert "&lt;b&gt;Tea&lt;/b&gt; <em>made for {{title}}</em>" in page
    assert "h1{color:#123456}" in page and ".hero{" not in page


@pytest.fixture
def refusal(request, tls, share):
    """What campaignd says of a theme with which it does not start."""
    def start(theme):
        stack = Stack(request.config.getoption("--build-dir"), tls,
                      settings={"RENDER_THEME": theme, "CAMPAIGN_SHARE_DIR": str(share)})
        try:
            with pytest.raises(StackError, match=r"ended with \d+"):
                stack.start()
            return stack.log_text().replace('\\"', '"')
        finally:
            stack.stop()
    return start


@pytest.mark.parametrize("file, text, fault", [
    ("hero.mustache", "<h1>{{title}}</h1>\n{{#client}}\nfor {{client}}\n",
     'template hero, line 2: a section is not closed: "client"'),
    ("hero.mustache", "{{/client}}", "template hero, line 1"),
    ("hero.mustache", "one\ntwo {{title", "template hero, line 2: a tag is not closed"),
    ("section.mustache", "{{> nowhere}}", 'template section needs a partial "nowhere"'),
    ("style.css", "h1{color:{{#light}}red",
     'template style, line 1: a section is not closed: "light"'),
    ("hero.mustache", "{{> facts}}{{> hero}}", "partials nest too deep"),
], ids=["section", "end", "tag", "partial", "style", "endless"])
def test_a_broken_theme_is_a_clear_error_at_start(refusal, share, file, text, fault):
    (share / "themes/mine" / file).write_text(text)
    said = refusal("mine")
    assert "RENDER_THEME=mine: " in said and fault in said
    assert said.count(fault) == 1, f"said more than once:\n{said}"


def test_a_theme_that_is_not_there_is_named(refusal, share):
    (share / "themes/empty").mkdir()
    assert "themes/none" in refusal("none")
    assert "has no page.mustache" in refusal("empty")


def test_a_theme_that_breaks_later_stops_nothing(make_stack, share):
    """A reload with a broken theme is refused in the log; the old one goes on."""
    stack = make_stack(settings={**SETTINGS, "CAMPAIGN_SHARE_DIR": str(share)})
    user = Client(stack, stack.token("alice"))
    (share / "themes/mine/hero.mustache").write_text("{{#client}}")
    stack.supervisor.send_signal(signal.SIGHUP)
    wait_for(lambda: "a section is not closed" in stack.log_text(), "the fault in the log")
    campaign_id = user.create()
    assert user.complete(campaign_id).status_code == 200
    assert '<header class="hero">' in user.get(f"/campaigns/{campaign_id}/website").text
    user.close()
