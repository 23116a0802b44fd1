import hashlib

import pytest

from atlas_core.keys import canonical_json, digest, record_key


def test_canonical_json_sorts_keys_and_leaves_no_spaces() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'.encode()


def test_numbers_that_json_has_not_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


def test_digest_is_sha256_of_the_canonical_json() -> None:
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


def test_a_key_changes_with_each_of_its_parts() -> None:
    key = record_key("cells", 1, {"layer": "a"}, ["x", "y"])
    others = [
        record_key("render", 1, {"layer": "a"}, ["x", "y"]),
        record_key("cells", 2, {"layer": "a"}, ["x", "y"]),
        record_key("cells", 1, {"layer": "b"}, ["x", "y"]),
        record_key("cells", 1, {"layer": "a"}, ["y", "x"]),
    ]
    assert len({key, *others}) == 5
    assert key == record_key("cells", 1, {"layer": "a"}, ("x", "y"))
