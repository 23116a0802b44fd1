from __future__ import annotations

from pathlib import Path

import pytest

from atlas_client.audit import policy_name


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("policy.toml", "policy.toml"),
        ("./ci/policy.toml", "ci/policy.toml"),
        ("/tmp/ci/policy.toml", "policy.toml"),
        ("../shared/policy.toml", "policy.toml"),
    ],
)
def test_a_policy_is_named_as_a_code_host_finds_it(given: str, named: str) -> None:
    assert policy_name(Path(given)) == named
