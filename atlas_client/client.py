"""The service, spoken to over HTTP (docs: the service's own /openapi.json)."""

from __future__ import annotations

from atlas_client.calls.aliases import Aliases
from atlas_client.calls.atlases import Atlases
from atlas_client.calls.audits import Audits
from atlas_client.calls.classes import Classes
from atlas_client.calls.comparisons import Comparisons
from atlas_client.calls.drift import Drift
from atlas_client.calls.icons import Icons
from atlas_client.calls.patches import Patches
from atlas_client.calls.projections import Projections
from atlas_client.calls.registered import Registered
from atlas_client.calls.selections import Selections
from atlas_client.calls.tours import Tours


class Client(
    Registered, Aliases, Atlases, Classes, Selections, Comparisons, Icons, Drift, Patches, Projections, Audits, Tours
):
    """One service, and all that can be asked of it; arguments as of `Connection`."""
