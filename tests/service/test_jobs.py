"""The list of all jobs, by the atlas they were asked of, by kind and by state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.service.test_main import api, assert_problem, request_of, settings

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

__all__ = ["api", "settings"]  # fixtures


def test_jobs_are_listed_by_atlas_kind_and_state(api: TestClient) -> None:
    request = request_of(api)
    first, second = (api.post("/v1/atlases", json=request | {"seed": seed}).json()["id"] for seed in (1, 2))
    api.post(f"/v1/jobs/{second}/cancel")
    dropped = api.post("/v1/atlases", json=request | {"seed": 3}).json()["id"]
    api.delete(f"/v1/atlases/{dropped}")

    def listed(**params: object) -> list[str]:
        return [each["id"] for each in api.get("/v1/jobs", params=params).json()["items"]]  # type: ignore[arg-type]

    assert listed() == [first, second]
    assert listed(kind="atlas") == [first, second]
    assert listed(kind="icons") == []
    assert listed(state="cancelled") == [second]
    assert listed(state=["queued", "running", "cancelled"]) == [first, second]
    assert listed(state=["queued", "running"], kind="atlas") == [first]
    assert listed(atlas=first) == []
    page = api.get("/v1/jobs", params={"page_size": 1}).json()
    assert [each["id"] for each in page["items"]] == [first]
    assert listed(page_token=page["next_page_token"]) == [second]
    assert_problem(api.get("/v1/jobs", params={"state": "done"}), 422, "invalid-request")
