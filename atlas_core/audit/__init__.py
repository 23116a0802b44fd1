"""Audits: what is wrong with a model, with evidence that stands up."""
