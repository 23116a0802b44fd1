"""From images to vectors: collect and attribute, a shard at a time."""

from __future__ import annotations

from atlas_core import tables
from atlas_core.activations import collect_shard
from atlas_core.attribution import attribute_shard
from atlas_core.privacy import without_names, without_pictures
from atlas_core.stages.novelty import watch_of
from atlas_core.stages.step import Output, Step, marked


def collect(step: Step) -> Output:
    """Run the network over a shard of images and keep samples of every layer."""
    plan, parameters = step.plan, step.parameters
    dataset = step.runtime.dataset(plan)
    places, points = step.runtime.sampled(plan)
    part = slice(parameters["start"], parameters["stop"])
    made = collect_shard(
        step.runtime.model(plan.model.card),
        dataset,
        places[part].tolist(),
        [plan.model.layer(name) for name in parameters["layers"]],
        points[part].tolist(),
        parameters["seed"],
        watch=watch_of(plan, int((points > 0).sum())),
        on_progress=step.on_progress,
    )
    layers, skipped = made.layers, made.skipped
    if plan.spec.strict:
        layers = {name: without_pictures(table) for name, table in layers.items()}
        skipped = without_names(skipped, dataset.listing)
    blobs = {"images": tables.pack(made.images)} if made.images else {}
    blobs |= {"novelty": tables.pack(made.novelty)} if made.novelty else {}
    blobs |= {f"layer {name}": tables.pack(table) for name, table in layers.items()}
    return Output(blobs, {"images": len(places[part]), "skipped": skipped, **marked(made.halved)})


def attribute(step: Step) -> Output:
    """What each sample of a shard adds to each class."""
    (record,) = step.inputs("collect")
    if f"layer {step.layer.name}" not in record["blobs"]:
        return Output()
    found = attribute_shard(
        step.runtime.model(step.plan.model.card),
        step.runtime.dataset(step.plan),
        step.table(record, f"layer {step.layer.name}"),
        step.layer,
        step.parameters["method"],
        on_progress=step.on_progress,
    )
    return Output(
        {"attributions": tables.pack({"attributions": found.attributions})},
        {"method": found.method, **marked(found.halved)},
    )
