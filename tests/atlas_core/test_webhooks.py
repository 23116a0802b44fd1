from __future__ import annotations

import base64

import pytest

from atlas_core import webhooks
from atlas_core.errors import ConflictError, NotFoundError
from atlas_core.ledger import Ledger
from atlas_core.redis_client import connect
from atlas_core.store import Store, open_store


@pytest.fixture
def store() -> Store:
    return open_store("memory://")


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    """The example of the reference implementations of Standard Webhooks."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = webhooks.sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_webhook_has_an_id_and_a_secret_of_its_own(store: Store) -> None:
    made = [webhooks.add(store, "https://h/", ["job.failed"]) for _ in range(2)]
    assert len({hook["id"] for hook in made}) == len({hook["secret"] for hook in made}) == 2
    for hook in made:
        assert hook["secret"].startswith("whsec_")
        assert 24 <= len(base64.b64decode(hook["secret"].removeprefix("whsec_"))) <= 64
    assert [hook["id"] for hook in webhooks.listed(store)] == [
        hook["id"] for hook in sorted(made, key=lambda hook: (hook["created"], hook["id"]))
    ]


def test_there_are_so_many_at_most(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST", 1)
    webhooks.add(store, "https://h/", webhooks.EVENTS)
    with pytest.raises(ConflictError, match="there are 1 webhooks already; delete one"):
        webhooks.add(store, "https://h/", webhooks.EVENTS)


def test_a_deleted_webhook_is_gone_with_its_secret_and_does_not_come_back(store: Store, redis_server: str) -> None:
    with connect(redis_server) as client:
        ledger = Ledger(client)
        hook = webhooks.add(store, "https://h/", webhooks.EVENTS)
        webhooks.give_up(hook["id"], store, ledger)
        assert webhooks.get(store, hook["id"]) == {**hook, "state": "gone"}
        webhooks.delete(hook["id"], store, ledger)
        webhooks.give_up(hook["id"], store, ledger)
        assert store.document_names("webhooks") == []
        for gone in (lambda: webhooks.get(store, "x"), lambda: webhooks.delete(hook["id"], store, ledger)):
            with pytest.raises(NotFoundError, match="no webhook"):
                gone()
