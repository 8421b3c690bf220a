"""The profile of the AWS tools' shared files: region, endpoints, keys, and what can't be."""

import subprocess

import emulators
import pytest
from client import Client

# the files are the tests' own: a web server's user must not read them
pytestmark = [pytest.mark.store(links_are_ours=False), pytest.mark.server(supervised=True)]


class Profile:
    """A config and a credentials file, and settings that leave all to them."""

    def __init__(self, folder):
        self.config, self.credentials = folder / "config", folder / "credentials"
        self.credentials.write_text(
            f"[shop]\naws_access_key_id = {emulators.ACCESS_KEY}\n"
            f"aws_secret_access_key = {emulators.SECRET_KEY}\n")
        self.settings = {
            **dict.fromkeys(("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                             "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"), ""),
            "AWS_PROFILE": "shop",
            "AWS_CONFIG_FILE": str(self.config),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials),
        }


@pytest.fixture
def profile(tmp_path):
    return Profile(tmp_path)


def services(store):
    return ("[services there]\n"
            f"s3 =\n  endpoint_url = {store.s3.url}\n"
            f"dynamodb =\n  endpoint_url = {store.dynamodb.url}\n")


def test_a_profile_suffices(stack, make_stack, profile):
    profile.config.write_text(
        f"[profile shop]\nregion = {emulators.REGION}\nservices = there\n"
        "endpoint_url = http://127.0.0.1:1/used-by-none\nmax_attempts = 2\n"
        + services(stack.store))
    own = make_stack(settings=profile.settings)
    client = Client(own, own.token())
    campaign_id = client.completed()
    assert client.get(f"/campaigns/{campaign_id}").json()["status"] == "completed"
    shown = client.get(f"/campaigns/{campaign_id}/aws").json()
    assert shown["aws_services"]["dynamodb"]["data"]["s3_website_url"].startswith(own.store.links_start)
    looked = own.campaignctl("doctor", check=False)
    assert looked.returncode == 0, looked.stdout


def test_the_settings_come_before_the_profile(make_stack, profile):
    """All of the profile's endpoints and its region are wrong."""
    profile.config.write_text(
        "[profile shop]\nregion = eu-nowhere-1\nservices = there\n"
        "endpoint_url = http://127.0.0.1:1\n"
        "[services there]\ns3 =\n  endpoint_url = http://127.0.0.1:1\n"
        "dynamodb =\n  endpoint_url = http://127.0.0.1:1\n")
    own = make_stack(settings={"AWS_PROFILE": "shop", "AWS_CONFIG_FILE": str(profile.config),
                               "AWS_SHARED_CREDENTIALS_FILE": str(profile.credentials)})
    assert Client(own, own.token()).completed()


@pytest.mark.parametrize(("text", "told"), [
    ("[profile shop]\nendpoint_url = 127.0.0.1:9000\n",
     'endpoint_url in [profile shop] of {file} is "127.0.0.1:9000": '
     "an endpoint looks like https://host:port"),
    ("[profile shop]\nservices = there\n[services there]\ns3 =\n  endpoint_url = s3\n",
     'endpoint_url of s3 in [services there] of {file} is "s3": '
     "an endpoint looks like https://host:port"),
    ("[profile shop]\nservices = there\n",
     'services in [profile shop] of {file} names "there": write a section [services there], '
     "or take the line away"),
    ("[profile shop]\nregion = Canada Central\n",
     'region in [profile shop] of {file} is "Canada Central": '
     "a region looks like eu-central-1"),
])
def test_a_malformed_profile_stops_the_start(stack, profile, tmp_path, text, told):
    profile.config.write_text(text)
    env_file = tmp_path / "env"
    settings = {**stack.settings, **profile.settings}
    env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    env_file.chmod(0o600)
    told = told.format(file=profile.config)
    policy = subprocess.run([stack.bin / "campaignctl", "--env", env_file, "policy"],
                            env=stack.environment(), cwd=tmp_path, capture_output=True,
                            text=True, timeout=120, check=False)
    assert policy.returncode != 0 and told in policy.stderr
    daemon = subprocess.run(
        [stack.bin / "campaignd", "--env", env_file, "--listen", tmp_path / "socket",
         "--set", f"CAMPAIGND_PID_FILE={tmp_path / 'pid'}"],
        env=stack.environment(), cwd=tmp_path, capture_output=True, text=True, timeout=120,
        check=False)
    assert daemon.returncode == 78 and told.replace('"', '\\"') in daemon.stderr
