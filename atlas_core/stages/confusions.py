"""Which classes the model takes for each other, over all images that an atlas samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atlas_core.class_names import told_class
from atlas_core.confusions import Confusions
from atlas_core.keys import canonical_json
from atlas_core.stages.step import Output, Step, significant

if TYPE_CHECKING:
    from atlas_core.confusions import Pair

MOST_PAIRS = 100


def tell_confusions(step: Step) -> Output:
    """The pairs of classes that are confused most; without labels the predicted class stands for the label."""
    plan = step.plan
    labelled = plan.dataset.classes is not None
    found = Confusions(plan.model.classes or 0)
    for record in step.inputs("collect"):
        if record["blobs"]:
            images = step.table(record, "images")
            found.add(images["logits"], images["label"] if labelled else images["logits"].argmax(axis=1))
    told = [_told(pair, plan.model.class_names, labelled=labelled) for pair in found.pairs(MOST_PAIRS)]
    return Output({"confusions": canonical_json(told)}, {"images": found.images, "labelled": labelled})


def _told(pair: Pair, names: list[str], *, labelled: bool) -> dict[str, Any]:
    classes = [told_class(one, names) for one in (pair.first, pair.second)]
    often = {"confused": list(pair.confused), "share": significant(pair.share),
             "interval": [significant(end) for end in pair.interval]}  # fmt: skip
    unknown = dict.fromkeys(often)
    return {"classes": classes, "images": pair.images, **(often if labelled else unknown),
            "probability": significant(pair.probability)}  # fmt: skip
