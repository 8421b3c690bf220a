"""Fixtures of the browser tests: the browser, and campaigns completed by the service."""

import dataclasses
import json
import pathlib

import pytest

import campaign_cases
from browser import Browser, Canary
from client import Client
from hostile_campaign import hostile
from support import TOP

JSON = {"Content-Type": "application/json"}


@dataclasses.dataclass
class Site:
    brief: dict
    state: str
    render: dict
    link: str           # of the website, signed: needs no token
    file: pathlib.Path  # a copy of the website
    pdf: pathlib.Path


@pytest.fixture(scope="session")
def browser():
    instance = Browser()
    yield instance
    instance.stop()


@pytest.fixture
def canary():
    instance = Canary()
    yield instance
    instance.stop()


def complete(client, folder, name, brief, state, parts=()):
    """Completes a campaign and fetches what became of it."""
    campaign_id = client.create(name=brief.get("campaign_name", "Untitled"), brief=brief)
    for part, data in parts:
        answer = client.post(f"/campaigns/{campaign_id}/{part}", data=data, headers=JSON)
        assert answer.status_code in (200, 201), answer.text
    answer = client.complete(campaign_id, state.encode())
    assert answer.status_code == 200, answer.text
    files = {}
    for part, suffix in (("website", "html"), ("pdf", "pdf")):
        files[part] = folder / f"{name}.{suffix}"
        files[part].write_bytes(client.get(f"/campaigns/{campaign_id}/{part}").content)
    link = client.get(f"/campaigns/{campaign_id}").json()["s3_website_url"]
    return Site(brief, state, answer.json()["render"], link, files["website"], files["pdf"])


@pytest.fixture(scope="session")
def sites(request, stack, tmp_path_factory):
    """sites(name) is a hard case, the shipped example ("example"), or a shared one: it
    skips where those are not here."""
    folder = tmp_path_factory.mktemp("sites")
    client = Client(stack, stack.token("browser"))
    made = {}

    def make(name):
        if name in campaign_cases.HARD:
            case = campaign_cases.HARD[name]()
            return complete(client, folder, name, case["brief"] or {"note": "none"},
                            json.dumps(case["state"], ensure_ascii=False))
        home = (TOP / "share/example" if name == "example" else
                request.getfixturevalue("examples") / name)
        parts = [(part, (home / f"{part}.json").read_bytes())
                 for part in ("progress", "interactions") if (home / f"{part}.json").exists()]
        return complete(client, folder, name, json.loads((home / "brief.json").read_text()),
                        (home / "final_state.json").read_text().strip(), parts)

    def site(name):
        if name not in made:
            made[name] = make(name)
        return made[name]

    yield site
    client.close()


@pytest.fixture
def harmful(stack, tmp_path, canary):
    """The hostile campaign, whose beacons go to the canary."""
    client = Client(stack, stack.token("mallory"))
    brief, state = hostile(canary.url)
    yield complete(client, tmp_path, "hostile", brief, json.dumps(state))
    client.close()
