"""Names in paths and bodies: an id, or an alias that stands for one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path

from atlas_core.aliases import resolve
from service.dependencies import ServicesDep

Name = Annotated[str, Path(description="id or alias")]


def _model(model: Name, services: ServicesDep) -> str:
    return resolve(services.store, "model", model)


def _dataset(dataset: Name, services: ServicesDep) -> str:
    return resolve(services.store, "dataset", dataset)


def _atlas(atlas: Name, services: ServicesDep) -> str:
    return resolve(services.store, "atlas", atlas)


def _job(job: Name, services: ServicesDep) -> str:
    return resolve(services.store, "atlas", job)


ModelId = Annotated[str, Depends(_model)]
DatasetId = Annotated[str, Depends(_dataset)]
AtlasId = Annotated[str, Depends(_atlas)]
JobId = Annotated[str, Depends(_job)]
