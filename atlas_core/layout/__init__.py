"""From vectors to a map: neighbours, their graph, and one point in the unit square for each sample."""
