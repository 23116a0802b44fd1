"""Reports: what an audit's document looks like to people and to the tools that they use."""
