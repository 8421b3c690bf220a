"""What GET /health tells everybody of a store that is away, and what it leaves to the log."""

import contextlib

from faulty import aws_settings
from stack import Stack
from support import free_port, wait_for


@contextlib.contextmanager
def service(request, tls, **settings):
    """One worker, not waited for until its store is well."""
    stack = Stack(request.config.getoption("--build-dir"), tls,
                  settings={"WORKERS": "1", **settings})
    try:
        stack.write_settings()
        stack.store.prepare(stack)
        stack.server.start()
        stack.start_campaignd()
        yield stack
    except BaseException:
        stack.stop()
        raise
    assert stack.stop() == []


def health_of(stack, status):
    """The answer, once it has the status; it is kept for seconds."""
    def asked():
        answer = stack.health()
        return [answer] if answer is not None and answer.status_code == status else None

    return wait_for(asked, f"{status} of /health")[0]


def changes_logged(stack, part):
    return [line for line in stack.log_text().splitlines()
            if " health " in line and f"part={part}" in line]


PARTS = {"s3": "objects", "dynamodb": "records"}


def test_the_host_that_does_not_answer_is_for_the_log(request, tls):
    nowhere = f"127.0.0.1:{free_port()}"
    with service(request, tls, **aws_settings(f"http://{nowhere}", "nowhere")) as stack:
        answer = health_of(stack, 503)
        assert answer.headers["Retry-After"] == "5"
        assert "127.0.0.1" not in answer.text and nowhere.split(":")[1] not in answer.text
        body = answer.json()
        assert body["status"] == "unavailable"
        for part, what in PARTS.items():
            assert body[part] == {
                "status": "unavailable",
                "detail": f"the {what} are not reached; the service's log says why"}
            (line, *_more) = wait_for(lambda part=part: changes_logged(stack, part),
                                      "a line of the log")
            assert "status=unavailable" in line and nowhere in line


def test_one_part_that_is_away_and_comes_back(request, tls):
    with service(request, tls) as stack:
        body = health_of(stack, 200).json()
        assert [body[part] for part in PARTS] == [{"status": "ok"}] * 2
        folder = stack.store.folder / "tmp"
        aside = stack.store.folder / "aside"
        folder.rename(aside)
        folder.write_text("in the way")
        answer = health_of(stack, 503)
        assert str(stack.folder) not in answer.text and "tmp" not in answer.text
        body = answer.json()
        assert body["s3"]["status"] == "unavailable" and body["dynamodb"] == {"status": "ok"}
        folder.unlink()
        aside.rename(folder)
        health_of(stack, 200)
        away, back = changes_logged(stack, "s3")
        assert "status=unavailable" in away and "tmp/" in away
        assert "status=ok" in back and "why=" not in back
        assert not changes_logged(stack, "dynamodb")
