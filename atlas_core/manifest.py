"""The manifest: the JSON that names every artifact of an atlas, its digests, seeds, versions and measured qualities."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atlas_core.errors import NotFoundError
from atlas_core.featurevis.recipes import recipe_named
from atlas_core.keys import digest

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from atlas_core.spec import AtlasSpec
    from atlas_core.store import Store

SCHEMA_VERSION = 1
OUTSIDE = ("digest", "versions", "names", "beside")
LIBRARIES = (
    "activation-atlas", "torch", "torchvision", "onnxruntime", "onnx", "onnx2torch", "onnxslim", "numpy", "scipy",
    "numba", "umap-learn", "safetensors", "pillow",
)  # fmt: skip
CPU_FACTS = Path("/proc/cpuinfo")


def level_folder(layer: str, side: int) -> str:
    """Folder of a level below an atlas; layer names are percent-encoded."""
    return f"{quote(layer, safe='')}/{side}"


def artifact(data: bytes) -> dict[str, Any]:
    """How a manifest names the bytes of an artifact."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def seeded_from_data(spec: AtlasSpec) -> bool | None:
    """Whether pictures of the dataset went into the icons, which is said wherever they are shown; None of no icons."""
    return recipe_named(spec.recipe).seeded if spec.rendered else None


def said_of_icons(spec: AtlasSpec) -> str:
    """The same in words."""
    seeded = seeded_from_data(spec)
    return "no icons" if seeded is None else f"icons {'seeded from data' if seeded else 'pure'} (recipe {spec.recipe})"


def library_versions() -> dict[str, str]:
    """Versions, processor and threads that the bytes of an atlas can depend on."""
    found = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "threads": "1",
    }
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Vendor and family of the processor, where the system tells."""
    if not CPU_FACTS.is_file():
        return platform.processor()
    facts = dict(line.split(":", 1) for line in CPU_FACTS.read_text().split("\n\n")[0].splitlines() if ":" in line)
    told = {name.strip(): value.strip() for name, value in facts.items()}
    return " ".join(told[name] for name in ("vendor_id", "cpu family", "model") if name in told)


def assemble(
    plan: Plan,
    layers: dict[str, Any],
    artifacts: dict[str, Any],
    classes: list[str] | None,
    skipped: list[dict[str, Any]],
    halved: list[dict[str, Any]],
    novelty: dict[str, Any],
) -> dict[str, Any]:
    """Put a manifest together.

    Its digest covers every published artifact and what was measured, and leaves out what may differ between equal
    runs: library versions, and the names that cards give.

    Args:
        plan: The atlas's plan.
        layers: Qualities by layer name.
        artifacts: SHA-256 and size by path below the atlas.
        classes: Names of the model's classes.
        skipped: Images that could not be read, with the reason of each.
        halved: Which chunks had to halve their batch for lack of memory; their floats may differ in the last digits.
        novelty: Images that it is calibrated on, depths, AUROC of spoiled copies and its table; or why there is none.
    """
    model, dataset = plan.model, plan.dataset
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "id": plan.id,
        "spec": plan.spec.identity,
        "selected": plan.request and {"atlas": plan.atlas, **plan.request},
        "seed": plan.spec.seed,
        "model": {
            "id": model.id,
            "format": model.card.format,
            "architecture": model.card.architecture,
            "digest": (model.card.weights or model.card.source or "").removeprefix("sha256:"),
            "input": model.card.input.model_dump(mode="json"),
            "classes": classes,
        },
        "dataset": {
            "id": dataset.id,
            "digest": dataset.digest,
            "images": dataset.images,
            "classes": dataset.classes,
            "skipped": skipped,
        },
        "seeded_from_data": bool(seeded_from_data(plan.spec)),
        "halved": halved,
        "novelty": novelty,
        "layers": layers,
        "artifacts": dict(sorted(artifacts.items())),
    }
    return {
        **manifest,
        "digest": digest(manifest),
        "names": {"model": model.card.name, "dataset": dataset.name},
        "versions": library_versions(),
    }


def verify(manifest: dict[str, Any]) -> bool:
    """Whether a manifest's digest is that of its content."""
    content = {name: value for name, value in manifest.items() if name not in OUTSIDE}
    return bool(manifest.get("digest") == digest(content))


def manifest_of(plan: Plan, store: Store) -> dict[str, Any]:
    """The published manifest of an atlas.

    Raises:
        NotFoundError: It is not published yet.
    """
    record = store.get_record("publish", plan.chunks[-1].key)
    if record is None:
        raise NotFoundError(f"the atlas {plan.id} is not published yet")
    return dict(json.loads(store.get_blob(record["blobs"]["manifest"])))


def publish_files(plan: Plan, store: Store, folder: Path) -> dict[str, Any]:
    """Write an atlas's artifacts into a folder, with what a service would answer beside them, the manifest last.

    Returns:
        The manifest; `beside` names what is no artifact, as `artifacts` does these.
    """
    manifest: dict[str, Any] = {**manifest_of(plan, store), "beside": {}}
    for path, entry in manifest["artifacts"].items():
        _write(folder / path, store.get_blob(entry["sha256"]))
    from atlas_core.answers import answers  # with numpy, which the commands start without

    for path, data in answers(plan, store):
        _write(folder / path, data)
        manifest["beside"][path] = artifact(data)
    _write(folder / "manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    return manifest


def _write(path: Path, data: bytes) -> None:
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
