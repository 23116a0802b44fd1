import subprocess
import sys

import pytest

import atlas_client


def test_the_two_ways_in_are_at_the_top() -> None:
    from atlas_client import Atlas, Client

    assert (Atlas.__module__, Client.__module__) == ("atlas_client.atlas", "atlas_client.client")
    assert sorted(atlas_client.__all__) == ["Atlas", "Client"]
    with pytest.raises(AttributeError, match="no attribute 'Map'"):
        _ = atlas_client.Map


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    code = "import sys, atlas_client; print(sorted({'numpy', 'PIL', 'httpx'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
