"""The stores that an instance can have, by the name that --store takes."""


class LocalStore:
    """Settings of the embedded store, below the instance's folder."""

    name = "local"

    def settings(self, stack):
        return {
            "CAMPAIGN_STORE": "local",
            "CAMPAIGN_LOCAL_ROOT": str(stack.folder / "data"),
            "CAMPAIGN_ACCEL_PREFIX": "/_objects/",
        }


STORES = {store.name: store for store in (LocalStore,)}
