"""What goes over the wire, beyond the cards and the spec of atlas_core; one module a resource, as the routers are."""
