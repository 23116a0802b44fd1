"""The API: HTTP in, jobs out, artifacts and projections back. Loads no torch."""
