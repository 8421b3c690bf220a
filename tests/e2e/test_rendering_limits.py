"""A rendering that needs more than it may have: a clear refusal, and nothing is lost."""

import pytest

from client import Client, assert_problem

# What AddressSanitizer needs for itself can't be limited.
pytestmark = [pytest.mark.plain_build, pytest.mark.server(supervised=True)]

PARAGRAPH = "Every **word** of this [text](https://example.com/a) is one of *many*, `code` too. "


def state_of(megabytes):
    copies = int(megabytes * 1e6 / len(PARAGRAPH) / 8) + 1
    return {"artifacts": {f"part {i}": "\n\n".join([PARAGRAPH * 4] * 2) for i in range(copies)}}


@pytest.mark.parametrize("settings, megabytes, code, remedy", [
    ({"RENDER_MEMORY_MIB": "64"}, 6, "render_memory", "RENDER_MEMORY_MIB"),
    ({"RENDER_CPU_SECONDS": "1", "RENDER_MEMORY_MIB": "4096"}, 30, "render_time", "RENDER_CPU_SECONDS"),
], ids=["memory", "time"])
def test_beyond_its_limits_a_completion_fails_and_loses_nothing(make_stack, settings, megabytes, code,
                                                                remedy):
    stack = make_stack(settings=settings)
    user = Client(stack, stack.token("alice"))
    brief = {"campaign_name": "Too much", "product": "Paper"}
    campaign_id = user.create(name="Too much", brief=brief)
    before = user.get(f"/campaigns/{campaign_id}").json()

    problem = assert_problem(user.complete(campaign_id, state_of(megabytes)), 422, code)
    assert remedy in problem["detail"], problem

    after = user.get(f"/campaigns/{campaign_id}").json()
    assert after["status"] == before["status"] != "completed"
    assert after["campaign_brief"] == before["campaign_brief"] == brief
    assert user.get(f"/campaigns/{campaign_id}/website").status_code == 404
    # the worker lives, and the same campaign can be completed with less
    answer = user.complete(campaign_id, {"artifacts": {"copy": "# Less\n\nis more"}})
    assert answer.status_code == 200, answer.text
    assert "is more" in user.get(f"/campaigns/{campaign_id}/website").text
    assert "worker died" not in stack.log_text()
    user.close()
