from atlas_core.manifest import artifact, assemble, level_folder, verify
from tests.atlas_core.test_registry import _plan


def test_layer_names_are_percent_encoded() -> None:
    assert level_folder("features.10", 20) == "features.10/20"
    assert level_folder("/layer2/Relu output", 5) == "%2Flayer2%2FRelu%20output/5"


def test_an_artifact_is_named_by_digest_and_size() -> None:
    assert artifact(b"abc") == {
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "bytes": 3,
    }


def test_the_digest_covers_the_content_and_leaves_out_names_and_versions() -> None:
    planned = _plan()
    one = assemble(planned, {}, {"a": artifact(b"a")}, None, [], [], {})
    renamed = planned.model_copy(update={"dataset": planned.dataset.model_copy(update={"name": "other"})})
    assert assemble(renamed, {}, {"a": artifact(b"a")}, None, [], [], {})["digest"] == one["digest"]
    assert assemble(planned, {}, {"a": artifact(b"b")}, None, [], [], {})["digest"] != one["digest"]
    assert verify(one)
    assert verify({**one, "versions": {}})
    assert not verify({**one, "seed": 99})
