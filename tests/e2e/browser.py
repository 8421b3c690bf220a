"""What the browser tests look with: Debian's Chromium driven by playwright, axe-core
and the Nu checker from npm, and a server on loopback that must never be asked."""

import functools
import http.server
import os
import pathlib
import shutil
import subprocess
import threading

import pytest

from support import TOP

# Chromium itself asks for nothing with these; each browser has a new profile.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars"]
LATE_MS = 300000  # what no machine is too slow or too busy for
DESKTOP, PHONE, NARROW, WALL = (1440, 900), (390, 844), (320, 640), (3840, 2160)
TOOLS = pathlib.Path(os.environ.get("CS_BROWSER_TOOLS", TOP / "build/browser-tools"))


def missing(what):
    """Skips, or fails where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed (tests/run browser installs it)")


def need(program):
    path = shutil.which(program)
    return path if path else missing(program)


def tool(path):
    file = TOOLS / "node_modules" / path
    return file if file.exists() else missing(path.split("/")[0])


class Canary:
    """A server that notes every request."""

    def __init__(self):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                seen.append(self.path)
                self.send_response(204)
                self.end_headers()

            do_POST = do_HEAD = do_OPTIONS = do_GET

            def log_message(self, format, *args):  # pylint: disable=redefined-builtin
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Visit:
    """One page that is open, and all that it did."""

    def __init__(self, context, url):
        self.console, self.dialogs, self.requests, self.errors = [], [], [], []
        self.page = context.new_page()
        self.page.on("console", lambda line: self.console.append(f"{line.type}: {line.text}"))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self.dismiss)
        self.page.on("request", lambda request: self.requests.append(request.url))
        context.on("page", lambda page: self.errors.append(f"a window was opened: {page.url}"))
        self.answer = self.page.goto(url, wait_until="load")
        self.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")

    def dismiss(self, dialog):
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def show(self, size, scheme="light"):
        """The same page in another window, on a light or a dark screen."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.emulate_media(color_scheme=scheme)

    def look(self, script, argument=None):
        return self.page.evaluate(script, argument)


class Browser:
    def __init__(self):
        sync_api = pytest.importorskip("playwright.sync_api")
        executable = need("chromium")
        self.driver = sync_api.sync_playwright().start()
        try:
            self.chromium = self.driver.chromium.launch(
                executable_path=executable, args=FLAGS, timeout=LATE_MS)
        except BaseException:
            self.driver.stop()
            raise

    def stop(self):
        self.chromium.close()
        self.driver.stop()

    def visit(self, url, size=DESKTOP, scheme="light", **options):
        """Opens a page in a context of its own; close it with visit.close()."""
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,
            ignore_https_errors=True, **options)
        context.set_default_timeout(LATE_MS)
        visit = Visit(context, url)
        visit.close = context.close
        return visit


@functools.lru_cache(maxsize=None)
def axe_source():
    return tool("axe-core/axe.min.js").read_text(encoding="utf-8")


def axe_violations(visit, rules=()):
    """What axe-core finds, a line each; of all rules, or of these."""
    if not visit.look("typeof axe === 'object'"):
        visit.look(axe_source())
    return visit.look("""rules => axe.run({
            resultTypes: ['violations'], ...(rules.length ? {runOnly: rules} : {})
        }).then(result => result.violations.flatMap(rule => rule.nodes.map(node =>
            `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`)))""", list(rules))


def nu_errors(files):
    """What the Nu Html Checker says of the files, errors alone."""
    java = need("java")
    jar = tool("vnu-jar/build/dist/vnu.jar")
    done = subprocess.run([java, "-Xmx512m", "-jar", jar, "--errors-only", *files],
                          capture_output=True, text=True, timeout=1800, check=False)
    return done.returncode, done.stderr
