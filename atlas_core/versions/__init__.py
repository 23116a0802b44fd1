"""What changed from one version of a model to the next, or from one layer to another: method.md, section 10."""
