"""What is true of the stores at AWS alone."""

import pytest

pytestmark = pytest.mark.store(links_are_ours=False)


def test_a_wrong_secret_is_refused(make_stack):
    """The servers check signatures: nothing here is green because nobody looks."""
    stack = make_stack()
    assert stack.campaignctl("fsck", check=False).returncode == 0
    stack.write_settings(AWS_SECRET_ACCESS_KEY="not-the-secret")
    refused = stack.campaignctl("fsck", check=False)
    assert refused.returncode != 0
    assert "SignatureDoesNotMatch" in refused.stderr
    assert "not-the-secret" not in refused.stderr
