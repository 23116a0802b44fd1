"""What an atlas says of classes: heat maps, and the pairs that are taken for each other."""

from __future__ import annotations

from atlas_client.connection import Connection, Document, path_of


class Classes(Connection):
    """Asks what an atlas says of classes."""

    def heatmap(
        self,
        atlas: str,
        layer: str,
        z: int,
        label: int | str | None = None,
        measure: str | None = None,
        channel: int | None = None,
    ) -> Document:
        """A number for every cell of a level: what it adds to a class, a channel's mean activation, or a measure of it.

        Args:
            atlas: The atlas's id.
            layer: Name of the layer.
            z: Level, from 0, the coarsest.
            label: Index or name of a class, for what cells add to it.
            measure: count, error, confidence, calibration, coherence, fidelity or strongest, where no class is given.
            channel: A channel of the layer.

        Returns:
            `column`, `row`, `count` and `value` of each cell, and the `scale` that values are divided by to be shown.

        Raises:
            InvalidError: There is no such class or channel, or nobody can tell the measure.
        """
        asked = {"class": label, "measure": measure, "channel": channel}
        return self.json("GET", path_of("atlases", atlas, "layers", layer, "levels", z, "heatmap"),
                         params={name: value for name, value in asked.items() if value is not None})  # fmt: skip

    def confusions(self, atlas: str) -> list[Document]:
        """The pairs of classes that the model confuses most surely, then those whose logits come closest."""
        return list(self.items(path_of("atlases", atlas, "confusions")))
