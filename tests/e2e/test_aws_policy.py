"""campaignctl policy and doctor: the policy allows all that is needed and nothing else,
and doctor names what somebody took out of it."""

import fnmatch
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
OPERATOR = ("--for", "operator")
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
                              capture_output=True, check=False, timeout=600,
                              env={"JWT_SECRET": "test-secret-of-at-least-32-bytes",
                                   "CAMPAIGN_SHARE_DIR": str(TOP / "share"),
                                   **self.settings, **changes})

    def policy(self, *arguments, **changes):
        made = self.ctl("policy", *arguments, **changes)
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)

    def allow(self, policy):
        requests.put(f"{self.server.url}/policed/policy", timeout=60,
                     data=json.dumps(policy) if policy else b"").raise_for_status()

    def needed(self):
        return requests.get(f"{self.server.url}/policed/needed", timeout=60).json()

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


# what the service never asks for
OPERATING = {"s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning",
             "s3:GetEncryptionConfiguration", "dynamodb:DescribeTimeToLive", "dynamodb:Scan"}


def without(policy, action):
    return {**policy, "Statement": [
        {**statement, "Action": [name for name in statement["Action"] if name != action]}
        for statement in policy["Statement"] if statement["Action"] != [action]]}


# ---- what it says ----

def test_its_form(service):
    policy = service.policy(*OPERATOR)
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
    assert service.policy("--for", "service") == service.policy()
    everything = actions_of(service.policy(*OPERATOR))
    assert everything - actions_of(service.policy()) == OPERATING
    assert actions_of(service.policy()) <= everything
    # who makes bucket and table is the operator then
    assert actions_of(service.policy(*OPERATOR, AWS_CREATE_MISSING="false")) == everything


@pytest.mark.parametrize("region,partition,suffix", [
    ("ca-central-1", "aws", "amazonaws.com"),
    ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
])
def test_its_names(service, region, partition, suffix):
    def statements_for(whom):
        policy = service.policy("--account", "111122223333", "--for", whom, AWS_REGION=region,
                                S3_KMS_KEY_ID="abc")
        return {statement["Sid"]: statement for statement in policy["Statement"]}

    statements = statements_for("operator")
    assert statements["ListObjects"]["Resource"] == [f"arn:{partition}:s3:::{BUCKET}"]
    table = f"arn:{partition}:dynamodb:{region}:111122223333:table/{TABLE}"
    assert statements["ReadAndWriteItems"]["Resource"] == [table]
    assert statements["QueryIndexes"]["Resource"] == [f"{table}/index/user_campaigns_index",
                                                      f"{table}/index/status_created_index"]
    assert statements_for("service")["QueryIndexes"]["Resource"] \
        == [f"{table}/index/user_campaigns_index"]
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
    assert service.ctl("policy", "--for", "everybody").returncode == 64
    assert service.ctl("policy", "more").returncode == 64
    for command in ("policy", "init", "list"):
        nowhere = service.ctl(command, AWS_REGION="")
        assert nowhere.returncode == 78 and "set AWS_REGION" in nowhere.stderr
    local = service.ctl("policy", CAMPAIGN_STORE="local")
    assert local.returncode == 78 and "CAMPAIGN_STORE=aws" in local.stderr


def test_options_go_before_the_environment(service):
    made = service.ctl("--set", "AWS_REGION=eu-west-1", "--set", "S3_BUCKET_NAME=optional", "policy")
    assert ":dynamodb:eu-west-1:" in made.stdout and ":s3:::optional/" in made.stdout
    shown = service.ctl("--set", "AWS_MAX_ATTEMPTS=2", "--set", "AWS_ACCESS_KEY_ID=other", "doctor")
    assert re.search(r"AWS_MAX_ATTEMPTS +2 +\(option\)", shown.stdout), shown.stdout
    assert re.search(r"AWS_ACCESS_KEY_ID +\*+ +\(option\)", shown.stdout), shown.stdout
    assert service.ctl("--set", "AWSREGION=x", "policy").returncode == 78


@pytest.mark.parametrize("command", ["list", "show a", "delete a", "fsck", "recount", "cleanup"])
def test_who_only_looks_makes_no_store(service, tmp_path, command):
    looked = service.ctl(*command.split(), CAMPAIGN_STORE="local",
                         CAMPAIGN_LOCAL_ROOT=str(tmp_path / "data"))
    assert looked.returncode == 66
    assert f"there is no store in {tmp_path}/data" in looked.stderr, looked.stderr
    assert "campaignctl init" in looked.stderr and "CAMPAIGN_LOCAL_ROOT" in looked.stderr
    assert not (tmp_path / "data").exists()


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

def make_table_without(service, table, lacking):
    """As an older version of the service might have left it."""
    names = {"user_campaigns_index": "user_id", "status_created_index": "status"}
    del names[lacking]
    [(index, attribute)] = names.items()
    service.boto("dynamodb").create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"}
                              for name in ("campaign_id", attribute, "created_at")],
        KeySchema=[{"AttributeName": "campaign_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[{
            "IndexName": index, "Projection": {"ProjectionType": "ALL"},
            "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"},
                          {"AttributeName": "created_at", "KeyType": "RANGE"}]}])


def grants_used(policy, needed):
    """(action, resource of the policy) of what was needed."""
    return {(action, resource) for statement in policy["Statement"]
            for action in statement["Action"] for resource in statement["Resource"]
            if any(action == used and fnmatch.fnmatchcase(on, resource) for used, on in needed)}


def grants_of(policy):
    return {(action, resource) for statement in policy["Statement"]
            for action in statement["Action"] for resource in statement["Resource"]}


def ok(answer):
    assert answer.status_code in (200, 201), answer.text
    return answer


def live_by_api(stack, s3):
    """All that the service does with the store. s3 leaves an upload behind, as a worker
    does that dies."""
    alice = Client(stack, stack.token("alice"))
    assert ok(alice.get("/campaigns/aws/list")).json()["total"] == 0
    campaign = alice.create()
    for step in range(2):
        ok(alice.post(f"/campaigns/{campaign}/interactions",
                      headers={"Idempotency-Key": f"step {step // 2}"},
                      json={"interactions": [{"agent": "writer", "step": step // 2}]}))
    ok(alice.post(f"/campaigns/{campaign}/interactions", json={"agent": "w", "note": "n"}))
    ok(alice.post(f"/campaigns/{campaign}/interactions", json={"agent": "w", "note": "n" * 80000}))
    assert len(ok(alice.get(f"/campaigns/{campaign}/interactions")).json()["interactions"]) == 3
    ok(alice.put(f"/campaigns/{campaign}/files/notes.bin", data=b"x" * (9 << 20)))
    s3.create_multipart_upload(Bucket=stack.settings["S3_BUCKET_NAME"],
                               Key=f"campaigns/{campaign}/files/left.bin")
    ok(alice.upload(campaign, "files/parts.bin", b"x" * 100_000))
    ok(alice.complete(campaign))
    ok(alice.get(f"/campaigns/{campaign}/aws"))
    assert ok(alice.get("/campaigns/aws/list")).json()["total"] == 1
    ok(Client(stack, stack.admin_token()).get("/campaigns/aws/stats"))
    answer = ok(alice.delete(f"/campaigns/{campaign}/aws"))
    assert answer.json()["deletion_results"]["s3"]["success"], answer.text
    alice.close()


@pytest.fixture
def serving(service, request, tls):
    """An instance on the server that keeps to a policy."""
    instances = []

    def start(**changes):
        stack = Stack(request.config.getoption("--build-dir"), tls, "moto",
                      settings={**service.settings, "CAMPAIGND_LISTEN": "",
                                "AWS_ENDPOINT_URL_S3": service.server.url,
                                "AWS_ENDPOINT_URL_DYNAMODB": service.server.url, **changes})
        instances.append(stack)
        stack.write_settings()
        stack.server.start()
        stack.start_campaignd()
        stack.wait_ready()
        return stack

    yield start
    assert [stack.stop() for stack in instances] == [[]] * len(instances)


def test_the_service_needs_all_of_it_and_nothing_else(service, serving):
    """A campaign lives and dies where versions are kept and where they are not, where
    an index lacks and where the table does: each time under the policy for those
    settings. Every permission in them was needed."""
    used, granted = set(), set()
    service.allow(None)
    make_table_without(service, TABLE, "user_campaigns_index")
    for changes in ({"S3_BUCKET_TAGS": "team=a"},
                    {"S3_BUCKET_NAME": f"{BUCKET}-plain", "DYNAMODB_TABLE_NAME": f"{TABLE}-fresh",
                     "S3_VERSIONING": "false"}):
        policy = service.policy(**changes)
        service.allow(policy)
        live_by_api(serving(**changes), service.boto("s3"))
        used |= {action for action, _ in grants_used(policy, service.needed())}
        granted |= actions_of(policy)
    assert used == granted


def test_a_service_that_may_make_nothing(service, serving):
    changes = {"S3_BUCKET_NAME": f"{BUCKET}-made", "DYNAMODB_TABLE_NAME": f"{TABLE}-made"}
    service.allow(None)
    assert service.ctl("init", **changes).returncode == 0
    service.allow(service.policy(AWS_CREATE_MISSING="false", **changes))
    live_by_api(serving(AWS_CREATE_MISSING="false", **changes), service.boto("s3"))
    status, checks = service.doctor(AWS_CREATE_MISSING="false", **changes)
    assert status == 0, checks
    skipped = {check["missing"].split(" on ")[0]: check["text"]
               for check in checks.values() if check.get("skipped")}
    assert skipped.keys() == OPERATING | {"dynamodb:Query"}
    assert all("--for=operator" in text for text in skipped.values())


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
    assert campaign in done("list")
    done("show", campaign)
    done("recount")
    done("fsck", "--bytes")
    done("cleanup", "--yes")
    done("delete", campaign)
    done("show", campaign, status=66)
    done("doctor")


def test_the_operator_needs_the_rest(service):
    """campaignctl does all that it can do under its policy, and needs what in it goes
    beyond the service's."""
    changes = {"S3_BUCKET_NAME": f"{BUCKET}-operated", "DYNAMODB_TABLE_NAME": f"{TABLE}-operated"}
    service.settings |= changes
    service.allow(None)
    make_table_without(service, f"{TABLE}-operated", "status_created_index")
    policy = service.policy(*OPERATOR)
    service.allow(policy)
    live_by_campaignctl(service)
    used = grants_used(policy, service.needed())
    service.settings |= {name: SETTINGS[name] for name in changes}
    assert grants_of(policy) - grants_of(service.policy(**changes)) <= used
    # another table, which is made as a whole
    refused = service.ctl("init", **{**changes, "DYNAMODB_TABLE_NAME": TABLE + "2"})
    assert refused.returncode != 0 and "dynamodb:DescribeTable" in refused.stderr


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
    policy = set_up.policy(*OPERATOR)
    for action in sorted(actions_of(policy) - MAKING):
        before = leftovers(set_up)
        set_up.allow(without(policy, action))
        status, checks = set_up.doctor()
        set_up.allow(None)
        lacking = [check for check in checks.values() if "missing" in check]
        failed = [check for check in checks.values() if not check["ok"] and "skipped" not in check]
        assert lacking, action
        for check in lacking:
            assert check["missing"].startswith(f"{action} on arn:aws:"), check
        if action in OPERATING:  # the service can do without
            assert status == 0 and not failed and "--for=operator" in lacking[0]["text"]
            continue
        assert status == 2 and failed == [check for check in lacking if "skipped" not in check]
        assert failed, action
        for check in failed:
            assert check["missing"] in check["fix"]
        skipped = [name for name, check in checks.items()
                   if check.get("skipped") and "missing" not in check]
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
