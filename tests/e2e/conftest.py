"""Fixtures of the end-to-end tests. Every test that takes `stack`, or a client
made from it, runs on each store and web server that the run asks for."""

import os
import pathlib

import pytest

from accounts import ACCOUNTS
from client import Client
from emulators import Missing
from servers import SERVERS
from sites import browser, canary, harmful, sites  # pylint: disable=unused-import
from stack import Stack, make_certificate
from stores import STORES
from support import TOP


def pytest_addoption(parser):
    group = parser.getgroup("campaignstore")
    group.addoption("--build-dir", default=os.environ.get("CS_BUILD", str(TOP / "build")),
                    help="folder with the campaignd and campaignctl to test")
    group.addoption("--store", action="append", choices=sorted(STORES),
                    help="store to test on (may be repeated; default: local)")
    group.addoption("--server", action="append", choices=sorted(SERVERS),
                    help="web server to test behind (may be repeated; default: nginx)")
    group.addoption("--soak-seconds", type=int, default=20,
                    help="how long the soak goes on (default: 20)")
    group.addoption("--full", action="store_true",
                    default=os.environ.get("CI") == "true",
                    help="the long form of the load, memory and durability tests")
    group.addoption("--short", action="store_true", help="their short form, whatever CI says")


def pytest_configure(config):
    config.addinivalue_line("markers", "plain_build: makes no sense under sanitizers")
    config.addinivalue_line("markers", "store(name=value...): for stores with these attributes")
    config.addinivalue_line("markers", "server(name=value...): for web servers with these attributes")
    config.addinivalue_line("markers", "instance: starts the service (set by itself)")
    config.addinivalue_line("markers", "browser: needs Chromium; tests/run browser runs it")


def pytest_unconfigure():
    faults = ACCOUNTS.remove()
    if faults:
        raise RuntimeError("\n".join(faults))


def is_sanitized(build):
    """Whether the build under test was configured with --enable-sanitizers."""
    makefile = pathlib.Path(build) / "Makefile"
    return makefile.exists() and "\nCS_SANITIZE = -f" in makefile.read_text()


def fits(item):
    """Whether what an item is to run on has what its marks ask for."""
    place = item.callspec.params.get("place") if hasattr(item, "callspec") else None
    return place is None or all(
        getattr(part, name) == value
        for kind, part in (("store", STORES[place[0]]), ("server", SERVERS[place[1]]))
        for mark in item.iter_markers(kind) for name, value in mark.kwargs.items())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    unfit = [item for item in items if not fits(item)]
    items[:] = [item for item in items if item not in unfit]
    config.hook.pytest_deselected(items=unfit)
    sanitized = is_sanitized(config.getoption("--build-dir"))
    skip = pytest.mark.skip(reason="measures what sanitizers change")
    for item in items:
        if "place" in item.fixturenames:
            item.add_marker(pytest.mark.instance)
        if sanitized and item.get_closest_marker("plain_build"):
            item.add_marker(skip)


def pytest_generate_tests(metafunc):
    if "place" in metafunc.fixturenames:
        stores = metafunc.config.getoption("--store") or ["local"]
        servers = metafunc.config.getoption("--server") or ["nginx"]
        metafunc.parametrize("place", [(s, w) for s in stores for w in servers],
                             ids="-".join, scope="session")


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder)
    return folder


def finish(stack):
    faults = stack.stop()
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def new_stack(request, tls, place, **options):
    """An instance that is not started yet; skips where this machine lacks its servers."""
    store, server = place
    try:
        return Stack(request.config.getoption("--build-dir"), tls, store, server, **options)
    except Missing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))


def started(stack):
    try:
        stack.start()
    except BaseException:
        stack.stop()
        raise
    return stack


@pytest.fixture(scope="session")
def stack(request, tls, place):
    """The instance that most tests share: a test leaves it as it found it."""
    instance = started(new_stack(request, tls, place))
    yield instance
    finish(instance)


@pytest.fixture
def make_stack(request, tls, place):
    """make_stack(settings={...}, rate=None) starts an instance of the test's own."""
    made = []

    def make(**options):
        instance = new_stack(request, tls, place, **options)
        made.append(instance)
        instance.start()
        return instance

    yield make
    faults = [fault for instance in made for fault in instance.stop()]
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.fixture(scope="session")
def full(request):
    """Whether the long form of a test is asked for."""
    return request.config.getoption("--full") and not request.config.getoption("--short")


@pytest.fixture
def base_url(stack):
    return stack.base_url


@pytest.fixture
def ca(stack):
    return stack.ca


@pytest.fixture
def user_token(stack):
    return stack.token("alice")


@pytest.fixture
def other_token(stack):
    return stack.token("bob")


@pytest.fixture
def admin_token(stack):
    return stack.admin_token()


def client_fixture(token_of):
    @pytest.fixture
    def make(stack):
        client = Client(stack, token_of(stack))
        yield client
        client.close()

    return make


user = client_fixture(lambda stack: stack.token("alice"))
other = client_fixture(lambda stack: stack.token("bob"))
admin = client_fixture(lambda stack: stack.admin_token())
anonymous = client_fixture(lambda stack: None)


@pytest.fixture(scope="session")
def examples():
    """The folder of the example campaigns, or the one that is shipped."""
    for folder in (os.environ.get("CS_EXAMPLES"), TOP.parent / "shared/examples"):
        if folder and pathlib.Path(folder).is_dir():
            return pathlib.Path(folder)
    pytest.skip("the example campaigns are not here (CS_EXAMPLES)")
