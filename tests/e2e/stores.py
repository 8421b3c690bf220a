"""The stores that an instance can have, by the name that --store takes.

What the tests must know of a store are its attributes: tests ask for those, never
for its name (`@pytest.mark.store(objects_are_files=True)` picks the stores that a
test is for)."""

import secrets

import emulators
from support import StackError


class LocalStore:
    """The embedded store, below the instance's folder."""

    name = "local"
    objects_are_files = True  # below folder/data/objects, sent by the web server
    links_are_ours = True  # signed by this service and served by it, not presigned
    links_rename = True  # the server behind links takes Content-Disposition from them
    meters = False
    checks_chunks = False
    bucket, table = "outputs", "campaigns"

    def __init__(self, stack):
        self.folder = stack.folder / "data"
        self.links_start = f"{stack.base_url}/api/v1/signed/"

    def start(self):
        """Starts the servers that instances share."""

    def prepare(self, stack):
        """Makes what must be there before the service starts."""

    def settings(self):
        return {
            "CAMPAIGN_STORE": "local",
            "CAMPAIGN_LOCAL_ROOT": str(self.folder),
        }


class AwsStore:
    """A bucket and a table of the instance's own on servers of the whole session."""

    objects_are_files = False
    links_are_ours = False
    links_rename = True
    meters = False  # it says what each call consumed, as DynamoDB does
    checks_chunks = False  # S3 checks the signature of each chunk of an upload
    s3_server = dynamodb_server = None

    def __init__(self, _stack):
        unique = secrets.token_hex(6)
        self.bucket, self.table = f"outputs-{unique}", f"campaigns-{unique}"

    def start(self):
        self.s3 = emulators.server(self.s3_server)
        self.dynamodb = emulators.server(self.dynamodb_server)
        self.links_start = f"{self.s3.url}/{self.bucket}/campaigns/"

    def prepare(self, stack):
        made = stack.campaignctl("init", check=False)
        if made.returncode != 0:
            raise StackError(made.stderr)

    def settings(self):
        return {
            "CAMPAIGN_STORE": "aws",
            "S3_BUCKET_NAME": self.bucket,
            "DYNAMODB_TABLE_NAME": self.table,
            "AWS_REGION": emulators.REGION,
            "AWS_ACCESS_KEY_ID": emulators.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": emulators.SECRET_KEY,
            "AWS_ENDPOINT_URL_S3": self.s3.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
        }


class MotoStore(AwsStore):
    """moto for both, behind a check of every signature."""

    name = "moto"
    checks_chunks = True
    s3_server = dynamodb_server = "moto"
    links_rename = False


class DynamoDbLocalStore(AwsStore):
    """Amazon's DynamoDB Local, which checks no signatures, and the Versity S3 gateway,
    which does by code of its own."""

    name = "dynamodb-local"
    meters = True
    checks_chunks = True
    s3_server = "versitygw"
    dynamodb_server = "dynamodb-local"


STORES = {store.name: store for store in (LocalStore, MotoStore, DynamoDbLocalStore)}
