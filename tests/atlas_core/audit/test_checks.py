"""The registry of checks, and that every check keeps to the form that audits are planned by."""

from __future__ import annotations

from atlas_core.audit.checks import CHECKS, module_of
from atlas_core.cards import Card


def test_every_check_offers_what_audits_ask_for() -> None:
    for name in CHECKS:
        module = module_of(name)
        options, thresholds = module.Options(), module.Thresholds()  # a policy may leave out its table
        assert isinstance(options, Card)
        assert isinstance(thresholds, Card)
        assert not {*module.Options.model_fields} & {*module.Thresholds.model_fields}
        assert callable(module.chunks)
        assert callable(module.judge)
