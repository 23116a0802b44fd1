"""`privacy: strict`: what an atlas keeps of its samples in place of pictures and of the names of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from atlas_core.fidelity import contrast

if TYPE_CHECKING:
    from atlas_core.datasets.listing import Listing
    from atlas_core.tables import Table


def without_pictures(samples: Table) -> Table:
    """Samples with the contrast of their thumbnails, float32 of shape (n,), for the thumbnails."""
    kept = {name: values for name, values in samples.items() if name != "thumbnails"}
    return {**kept, "contrast": contrast(samples["thumbnails"])}


def without_names(skipped: Sequence[Mapping[str, Any]], listing: Listing) -> list[dict[str, Any]]:
    """Images that could not be read, by their place in the listing, None of those that are not in it.

    Whoever may see the listing finds the file by it; to everybody else the place says nothing.
    """
    return [{"image": listing.place(entry["image"]), "reason": entry["reason"]} for entry in skipped]


def called(image: str | int | None) -> str:
    """An image that could not be read, in a sentence: its id, or what `without_names` says for it."""
    if isinstance(image, str):
        return image
    return "an image that is not listed" if image is None else f"image {image} of the listing"
