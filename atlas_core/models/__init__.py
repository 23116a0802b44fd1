"""Models: loaded, read at their layers, cut for gradients, inspected."""
