"""campaignctl policy and doctor: the policy allows all that is needed and nothing else,
and doctor names what somebody took out of it."""

import json
import pathlib
import re
import subprocess
import sys

import boto3
import pytest
import requests

import emulators
from client import Client
from stack import Stack
from support import TOP

pytestmark = pytest.mark.plain_build

BUCKET, TABLE = "policy-outputs", "policy-campaigns"
SETTINGS = {
    "CAMPAIGN_STORE": "aws",
    "S3_BUCKET_NAME": BUCKET,
    "DYNAMODB_TABLE_NAME": TABLE,
    "AWS_REGION": emulators.REGION,
    "AWS_ACCESS_KEY_ID": emulators.ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": emulators.SECRET_KEY,
}
# of the operations that the store calls: what bucket and table are made by
MAKING = {"s3:CreateBucket", "s3:PutBucketPublicAccessBlock", "s3:PutEncryptionConfiguration",
          "s3:PutBucketVersioning", "s3:PutBucketTagging", "dynamodb:CreateTable",
          "dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive"}


class Service:
    """campaignctl on a server that keeps to a policy."""

    def __init__(self, build, folder):
        self.program = pathlib.Path(build).resolve() / "campaignctl"
        self.folder = folder
        self.server = emulators.Server(
            "moto-policed", lambda port, _: [sys.executable,
                                             emulators.HERE / "moto_policed.py", port])
        self.settings = {**SETTINGS, "AWS_ENDPOINT_URL": self.server.url}

    def ctl(self, *arguments, **changes):
        return subprocess.run([self.program, *arguments], cwd=self.folder, text=True,
                              capture_output=True, check=False, timeout=120,
                              env={"JWT_SECRET": "test-secret-of-at-least-32-bytes",
                                   "CAMPAIGN_SHARE_DIR": str(TOP / "share"),
                                   **self.settings, **changes})

    def policy(self, *arguments, **changes):
        made = self.ctl("policy", *arguments, **changes)
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)

    def allow(self, policy):
        requests.put(f"{self.server.url}/policed/policy", timeout=10,
                     data=json.dumps(policy) if policy else b"").raise_for_status()

    def needed(self):
        return requests.get(f"{self.server.url}/policed/needed", timeout=10).json()

    def boto(self, service):
        return boto3.client(service, endpoint_url=self.server.url, region_name=emulators.REGION,
                            aws_access_key_id=emulators.ACCESS_KEY,
                            aws_secret_access_key=emulators.SECRET_KEY)

    def doctor(self, **changes):
        """Exit status, and the checks by their names."""
        done = self.ctl("--json", "doctor", **changes)
        return done.returncode, {check["check"]: check for check in json.loads(done.stdout)["checks"]}


@pytest.fixture(scope="module")
def service(request, tmp_path_factory):
    made = Service(request.config.getoption("--build-dir"), tmp_path_factory.mktemp("policy"))
    yield made
    made.server.stop()


def actions_of(policy):
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def without(policy, action):
    return {**policy, "Statement": [
        {**statement, "Action": [name for name in statement["Action"] if name != action]}
        for statement in policy["Statement"] if statement["Action"] != [action]]}


# ---- what it says ----

def test_its_form(service):
    policy = service.policy()
    assert policy["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in policy["Statement"]]
    assert len(set(sids)) == len(sids)
    for statement in policy["Statement"]:
        assert statement.keys() == {"Sid", "Effect", "Action", "Resource"}
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
        assert statement["Effect"] == "Allow"
        assert statement["Action"] == sorted(set(statement["Action"]))
        assert not any("*" in action for action in statement["Action"])
        for resource in statement["Resource"]:
            assert re.fullmatch(
                rf"arn:aws:(s3:::{BUCKET}(/\*)?|dynamodb:{emulators.REGION}:\*:table/{TABLE}"
                r"(/index/(user_campaigns|status_created)_index)?)", resource)


def test_it_follows_the_settings(service):
    def difference(**changes):
        changed = actions_of(service.policy(**changes))
        usual = actions_of(service.policy())
        return usual - changed, changed - usual

    assert difference(AWS_CREATE_MISSING="false") == (MAKING - {"s3:PutBucketTagging"}, set())
    assert difference(S3_VERSIONING="false") == ({"s3:PutBucketVersioning"}, set())
    assert difference(S3_BUCKET_TAGS="team=a") == (set(), {"s3:PutBucketTagging"})
    assert difference(S3_KMS_KEY_ID="k") == (set(), {"kms:Decrypt", "kms:GenerateDataKey"})
    assert actions_of(service.policy()) - actions_of(service.policy("--no-doctor")) == {
        "s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration", "dynamodb:DescribeTimeToLive"}


@pytest.mark.parametrize("region,partition,suffix", [
    ("ca-central-1", "aws", "amazonaws.com"),
    ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
])
def test_its_names(service, region, partition, suffix):
    policy = service.policy("--account", "111122223333", AWS_REGION=region, S3_KMS_KEY_ID="abc")
    statements = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert statements["ListObjects"]["Resource"] == [f"arn:{partition}:s3:::{BUCKET}"]
    table = f"arn:{partition}:dynamodb:{region}:111122223333:table/{TABLE}"
    assert statements["ReadAndWriteItems"]["Resource"] == [table]
    assert statements["QueryIndexes"]["Resource"] == [f"{table}/index/user_campaigns_index",
                                                      f"{table}/index/status_created_index"]
    key = statements["EncryptObjects"]
    assert key["Resource"] == [f"arn:{partition}:kms:{region}:111122223333:key/abc"]
    assert key["Condition"]["StringEquals"] == {"kms:ViaService": f"s3.{region}.{suffix}"}


def test_the_names_of_a_key(service):
    def key(name):
        return next(statement for statement in service.policy(S3_KMS_KEY_ID=name)["Statement"]
                    if statement["Sid"] == "EncryptObjects")

    arn = "arn:aws:kms:ca-central-1:111122223333:key/abc"
    assert key(arn)["Resource"] == [arn]
    for alias in ("alias/store", "arn:aws:kms:ca-central-1:111122223333:alias/store"):
        assert key(alias)["Resource"] == ["arn:aws:kms:ca-central-1:*:key/*"]
        assert key(alias)["Condition"]["ForAnyValue:StringEquals"] == {
            "kms:ResourceAliases": "alias/store"}


def test_wrong_use(service):
    assert service.ctl("policy", "--account", "12").returncode == 64
    assert service.ctl("policy", "more").returncode == 64
    local = service.ctl("policy", CAMPAIGN_STORE="local")
    assert local.returncode == 78 and "CAMPAIGN_STORE=aws" in local.stderr


def test_no_operation_is_listed_in_vain():
    """Each row of the table of operations is one that the sources call, or a test that
    plays another program."""
    source = TOP / "src"
    listed = re.findall(r"CS_AWS_\w+, \"(\w+)\"", (source / "aws/operations.c").read_text())
    folders = (source / "aws", source / "store", TOP / "tests/unit")
    rest = "".join(path.read_text() for folder in folders for path in folder.glob("*.c")
                   if path.name != "operations.c")
    assert len(listed) > 20
    assert [name for name in listed if f'"{name}"' not in rest] == []


# ---- that it is enough, and not more ----

def make_table_without_an_index(service, table):
    """As an older version of the service might have left it."""
    service.boto("dynamodb").create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"}
                              for name in ("campaign_id", "user_id", "created_at")],
        KeySchema=[{"AttributeName": "campaign_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[{
            "IndexName": "user_campaigns_index", "Projection": {"ProjectionType": "ALL"},
            "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"},
                          {"AttributeName": "created_at", "KeyType": "RANGE"}]}])


def live_by_campaignctl(service):
    def done(*arguments, status=0):
        result = service.ctl(*arguments)
        assert result.returncode == status, result.stderr + result.stdout
        return result.stdout

    done("init")
    put = json.loads(done("--json", "put", "--user", "alice", TOP / "share/example"))
    campaign = put["campaign_id"]
    assert campaign in done("list", "--user", "alice")
    assert campaign in done("list", "--status", "completed")
    done("list")
    done("show", campaign)
    done("recount")
    done("fsck", "--bytes")
    done("cleanup", "--yes")
    done("delete", campaign)
    done("show", campaign, status=66)
    done("doctor")


def live_by_api(stack):
    """What the service itself does beside campaignctl."""
    alice = Client(stack, stack.token("alice"))
    campaign = alice.create()
    for step in range(2):
        answer = alice.post(f"/campaigns/{campaign}/interactions",
                            json={"interactions": [{"agent": "writer", "step": step}]})
        assert answer.status_code in (200, 201), answer.text
    answer = alice.put(f"/campaigns/{campaign}/files/notes.bin", data=b"x" * (9 << 20))
    assert answer.status_code in (200, 201), answer.text
    assert alice.complete(campaign).status_code == 200
    assert alice.get(f"/campaigns/{campaign}/aws").status_code == 200
    assert alice.get("/campaigns/aws/list").json()["total"] == 1
    admin = Client(stack, stack.admin_token())
    assert admin.get("/campaigns/aws/stats").status_code == 200
    answer = alice.delete(f"/campaigns/{campaign}/aws")
    assert answer.json()["deletion_results"]["s3"]["success"], answer.text
    alice.close()
    admin.close()


def test_it_is_enough_and_not_more(service, request, tls):
    """Under the policy a campaign lives and dies, by campaignctl and by the API; and
    every permission in it was needed."""
    make_table_without_an_index(service, TABLE)
    policy = service.policy()
    service.allow(policy)
    live_by_campaignctl(service)
    stack = Stack(request.config.getoption("--build-dir"), tls, "moto",
                  settings={**service.settings, "CAMPAIGND_LISTEN": ""})
    try:
        stack.write_settings()
        stack.server.start()
        stack.start_campaignd()
        stack.wait_ready()
        live_by_api(stack)
    finally:
        faults = stack.stop()
    assert not faults
    used = {action for action, _ in service.needed()}
    # another table, which is made as a whole
    refused = service.ctl("init", DYNAMODB_TABLE_NAME=TABLE + "2")
    assert refused.returncode != 0 and "dynamodb:DescribeTable" in refused.stderr
    service.allow(service.policy(DYNAMODB_TABLE_NAME=TABLE + "2"))
    made = service.ctl("init", DYNAMODB_TABLE_NAME=TABLE + "2")
    assert made.returncode == 0, made.stderr
    used |= {action for action, _ in service.needed()}
    assert used == actions_of(policy)


# ---- what doctor says when something lacks ----

@pytest.fixture(scope="module")
def set_up(service):
    """Bucket and table are there."""
    service.allow(None)
    made = service.ctl("init")
    assert made.returncode == 0, made.stderr
    return service


def test_doctor_on_a_whole_store(set_up):
    status, checks = set_up.doctor()
    assert status == 0
    assert all(check["ok"] for check in checks.values()), checks
    assert checks["identity"]["text"].startswith("arn:aws:")
    text = set_up.ctl("doctor").stdout
    assert "All is well." in text
    assert emulators.SECRET_KEY not in text and emulators.ACCESS_KEY not in text


def leftovers(service):
    versions = service.boto("s3").list_object_versions(Bucket=BUCKET, Prefix="doctor/")
    items = service.boto("dynamodb").scan(TableName=TABLE)["Items"]
    return (versions.get("Versions", []) + versions.get("DeleteMarkers", [])
            + [item for item in items if "/doctor/" in item["campaign_id"]["S"]])


def test_doctor_names_what_was_taken_away(set_up):
    policy = set_up.policy()
    for action in sorted(actions_of(policy) - MAKING):
        before = leftovers(set_up)
        set_up.allow(without(policy, action))
        status, checks = set_up.doctor()
        set_up.allow(None)
        failed = [check for check in checks.values() if not check["ok"] and "skipped" not in check]
        assert status == 2 and failed, action
        for check in failed:
            assert check["missing"].startswith(f"{action} on arn:aws:"), check
            assert check["missing"] in check["fix"]
        skipped = [name for name, check in checks.items() if check.get("skipped")]
        assert len(skipped) <= 3, (action, skipped)
        if action not in ("s3:DeleteObjectVersion", "s3:ListBucketVersions",
                          "dynamodb:DeleteItem"):
            assert leftovers(set_up) == before, action


def test_init_names_what_was_taken_away(set_up):
    policy = set_up.policy(S3_BUCKET_NAME=BUCKET + "2", DYNAMODB_TABLE_NAME=TABLE + "3")
    for action in ("s3:CreateBucket", "dynamodb:CreateTable", "dynamodb:UpdateTimeToLive"):
        set_up.allow(without(policy, action))
        refused = set_up.ctl("init", S3_BUCKET_NAME=BUCKET + "2", DYNAMODB_TABLE_NAME=TABLE + "3")
        assert refused.returncode != 0 and action in refused.stderr, refused.stderr
    set_up.allow(None)


def test_doctor_with_a_key(set_up):
    status, checks = set_up.doctor(S3_KMS_KEY_ID="alias/store")
    assert status == 0
    assert checks["KMS key"]["text"] == "alias/store encrypts and decrypts (aws:kms)"


def test_doctor_with_wrong_keys(set_up):
    status, checks = set_up.doctor(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="",
                                   AWS_EC2_METADATA_DISABLED="true")
    assert status == 2
    assert "AWS_ACCESS_KEY_ID" in checks["credentials"]["fix"]
    assert checks["scan"]["skipped"] and checks["object: put"]["skipped"]


def test_doctor_before_init(set_up):
    status, checks = set_up.doctor(S3_BUCKET_NAME="nothing-here", DYNAMODB_TABLE_NAME="nowhere")
    assert status == 2
    assert "campaignctl init" in checks["bucket"]["fix"]
    assert "campaignctl init" in checks["table"]["fix"]
    assert checks["object: put"]["skipped"] and checks["item: put"]["skipped"]
