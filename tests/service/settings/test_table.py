"""For every setting the test that shows through a live service, a real worker or a real command what it changes."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import pytest

from service.settings_page import names

TESTS = Path(__file__).parents[2]
HERE = "service/settings"
ACCESS, PROJECTIONS, BODIES = (
    "service/access/test_admission.py",
    "service/test_projections.py",
    "service/test_bodies.py",
)
WORKERS, STORE, KEYS = f"{HERE}/test_workers.py", f"{HERE}/test_store.py", f"{HERE}/test_access.py"
SIGNED = f"{STORE}::test_requests_are_signed_with_the_key_for_the_region_and_with_the_token"
KEPT = f"{WORKERS}::test_answers_are_kept_in_the_other_redis_for_the_seconds_and_bytes"
CALLED = f"{WORKERS}::test_a_webhook_goes_by_plain_http_into_a_listed_network_and_is_tried_again_when_it_was_slow"
PARTS = f"{STORE}::test_a_large_blob_goes_in_parts_of_the_size_one_at_a_time"
COPIES = f"{STORE}::test_blobs_opened_as_files_are_kept_up_to_the_bytes"
QUOTA = f"{KEYS}::test_a_key_makes_so_many_jobs_and_uploads_so_many_bytes_a_day"
LATE = f"{KEYS}::test_a_token_late_by_less_than_the_leeway_is_taken_with_keys_from_where_they_are_named"
MODELS = f"{WORKERS}::test_a_model_that_takes_more_than_it_may_is_refused"
STARTED = "packaging/test_image_commands.py::test_the_workers_image_starts_a_healthy_worker_and_stops_when_told"
LIVES = f"{WORKERS}::test_a_worker_says_at_every_beat_that_it_lives"
TOKEN = "service/access/test_tokens.py::test_a_token_lets_in_to_the_service"
A_KEY = "atlas_client/test_token.py::test_a_key_is_given_or_in_the_environment_or_in_a_file"
LINES = "service/test_observing.py::test_every_line_is_json_and_names_its_request_and_job"
DATASETS = "service/test_datasets.py::test_every_format_is_one_dataset_wherever_it_lies"
NO_REDIS = "service/test_commands.py::test_a_redis_that_does_not_start_is_a_dependency_down"
SHOWN = {
    "ATLAS_STORE_URL":
        "service/test_upkeep.py::test_the_doctor_of_a_deployment_ends_with_status_1_where_something_failed",
    "ATLAS_REDIS_URL": "workers/test_sentinel.py::test_a_worker_goes_on_when_sentinel_names_another_server",
    "ATLAS_CACHE_URL": KEPT,
    "ATLAS_LEASE_SECONDS": LIVES,
    "ATLAS_BEAT_SECONDS": LIVES,
    "ATLAS_MAX_ATTEMPTS": f"{WORKERS}::test_a_chunk_is_given_up_after_so_many_attempts",
    "ATLAS_REQUEUE_SECONDS": f"{WORKERS}::test_a_lost_message_is_sent_again_after_the_seconds",
    "ATLAS_DATASET_STORES": DATASETS,
    "ATLAS_GARBAGE_HOURS": f"{WORKERS}::test_what_nobody_refers_to_is_deleted_from_the_age_on",
    "ATLAS_RETAIN_DAYS": f"{WORKERS}::test_what_ended_long_ago_is_dropped",
    "ATLAS_RETAIN_BYTES": f"{WORKERS}::test_what_takes_too_much_room_would_be_dropped",
    "ATLAS_WEBHOOK_HOSTS": CALLED,
    "ATLAS_WEBHOOK_NETWORKS": CALLED,
    "ATLAS_WEBHOOK_HTTP": CALLED,
    "ATLAS_WEBHOOK_SECONDS": CALLED,
    "ATLAS_WEBHOOK_RETRY_SECONDS": "service/test_webhooks.py::test_a_receiver_that_fails_twice_is_told_once_and_signed",
    "ATLAS_DEVICE": f"{WORKERS}::test_a_worker_of_gpu_chunks_computes_on_the_device_that_is_named",
    "ATLAS_PROJECTION_THREADS": f"{WORKERS}::test_a_worker_projects_as_many_images_side_by_side_as_it_has_threads",
    "ATLAS_PROJECTION_CACHE_SECONDS": KEPT,
    "ATLAS_PROJECTION_CACHE_BYTES": KEPT,
    "ATLAS_LOG_FORMAT": LINES,
    "ATLAS_LOG_LEVEL": LINES,
    "ATLAS_TRACES_ENDPOINT":
        "service/test_observing.py::test_a_trace_leads_from_the_request_through_the_queue_to_each_chunk",
    "ATLAS_INSPECTION_BYTES": MODELS,
    "ATLAS_INSPECTION_SECONDS": MODELS,
    "ATLAS_SHUTDOWN_SECONDS": f"{WORKERS}::test_a_worker_that_is_stopped_waits_no_longer_than_the_seconds",
    "ATLAS_API_PROCESSES": f"{WORKERS}::test_so_many_processes_answer_at_one_port",
    "ATLAS_BLOB_LIMIT_BYTES": "service/test_uploads.py::test_what_was_put_into_the_store_is_not_trusted",
    "ATLAS_IMAGE_LIMIT_BYTES": f"{PROJECTIONS}::test_an_upload_without_a_length_is_read_to_the_limit",
    "ATLAS_BODY_LIMIT_BYTES": f"{BODIES}::test_a_body_over_the_limit_is_refused_wherever_it_goes",
    "ATLAS_BODY_SECONDS": f"{BODIES}::test_a_body_that_trickles_is_cut_off",
    "ATLAS_HEAD_SECONDS": "service/test_connections.py::test_a_head_that_trickles_is_cut_off",
    "ATLAS_CONNECTIONS":
        "service/test_connections.py::test_connections_are_bounded_and_the_next_one_after_them_is_served",
    "ATLAS_REQUESTS": f"{BODIES}::test_more_requests_than_may_be_under_way_are_asked_to_wait_and_probes_are_not",
    "ATLAS_BATCH_LIMIT_BYTES": "service/test_batches.py::test_a_batch_over_the_limit_is_refused_or_ends_there",
    "ATLAS_PROJECTION_SECONDS": f"{PROJECTIONS}::test_what_waits_is_not_put_twice",
    "ATLAS_PROJECTION_QUEUE": f"{PROJECTIONS}::test_a_full_queue_says_when_to_come_back",
    "ATLAS_READY_QUEUES": f"{WORKERS}::test_no_worker_is_needed_to_be_ready_where_no_queue_is_named",
    "ATLAS_TRUSTED_HOSTS": f"{WORKERS}::test_another_name_is_not_answered",
    "ATLAS_EVENT_STREAMS":
        "service/test_events.py::test_more_streams_than_may_be_open_are_refused_and_a_vanished_reader_makes_room",
    "ATLAS_EVENT_BEAT_SECONDS": "service/test_events.py::test_a_silent_stream_says_that_it_lives",
    "ATLAS_DATASET_ROOTS": DATASETS,
    "ATLAS_ACCESS": f"{ACCESS}::test_no_route_is_public_but_those_that_are_meant",
    "ATLAS_KEY_CACHE_SECONDS": f"{ACCESS}::test_a_revoked_key_is_refused",
    "ATLAS_SESSION_HOURS": f"{KEYS}::test_a_session_lives_for_the_hours",
    "ATLAS_REQUESTS_PER_MINUTE": f"{KEYS}::test_a_key_asks_so_often_a_minute_and_is_told_to_wait",
    "ATLAS_JOBS_PER_DAY": QUOTA,
    "ATLAS_STORED_BYTES": f"{KEYS}::test_what_an_owner_has_stored_is_bounded",
    "ATLAS_UPLOAD_BYTES_PER_DAY": QUOTA,
    "ATLAS_METRICS_PUBLIC": f"{ACCESS}::test_metrics_may_be_public",
    "ATLAS_AUDIT_READS": f"{KEYS}::test_what_was_only_read_is_logged_too",
    "ATLAS_OIDC_ISSUER": TOKEN,
    "ATLAS_OIDC_AUDIENCE": TOKEN,
    "ATLAS_OIDC_RULES": TOKEN,
    "ATLAS_OIDC_KEYS_URL": LATE,
    "ATLAS_OIDC_LEEWAY_SECONDS": LATE,
    "ATLAS_STORE_ENDPOINT": SIGNED,
    "ATLAS_STORE_REGION": SIGNED,
    "ATLAS_STORE_ALLOW_HTTP": f"{STORE}::test_plain_http_is_refused_unless_it_is_allowed",
    "ATLAS_STORE_VIRTUAL_HOSTED": f"{STORE}::test_the_bucket_may_stand_in_the_host_name_alone",
    "ATLAS_STORE_ANONYMOUS": f"{STORE}::test_requests_to_a_public_bucket_are_not_signed",
    "ATLAS_STORE_ACCESS_KEY_ID": SIGNED,
    "ATLAS_STORE_SECRET_ACCESS_KEY": SIGNED,
    "ATLAS_STORE_SESSION_TOKEN": SIGNED,
    "ATLAS_STORE_TIMEOUT_SECONDS": f"{STORE}::test_a_store_that_never_answers_is_given_up_after_the_seconds",
    "ATLAS_STORE_RETRY_SECONDS": "service/test_uploads.py::test_a_store_that_is_down_is_said_with_when_to_ask_again",
    "ATLAS_STORE_PART_BYTES": PARTS,
    "ATLAS_STORE_CONCURRENCY": PARTS,
    "ATLAS_STORE_PUBLIC_ENDPOINT":
        "service/test_uploads.py::test_a_store_out_of_reach_gets_the_bytes_through_the_service",
    "ATLAS_STORE_CACHE_FOLDER": COPIES,
    "ATLAS_STORE_CACHE_BYTES": COPIES,
    "ATLAS_AUDIENCE": "atlas_client/test_token.py::test_a_runner_s_token_is_asked_for_and_again_before_it_ends",
    "ATLAS_DATA": "service/test_commands.py::test_gc_says_what_it_would_delete_and_deletes_it",
    "ATLAS_DEBUG": "atlas_client/test_cli.py::test_what_nobody_foresaw_is_one_line_and_ends_in_2",
    "ATLAS_REDIS_BINARY": NO_REDIS,
    "ATLAS_START_SECONDS": NO_REDIS,
    "ATLAS_TOKEN": A_KEY,
    "ATLAS_TOKEN_FILE": A_KEY,
    "ATLAS_URL": "atlas_client/test_cli.py::test_the_url_may_stand_in_the_environment",
    "ATLAS_PORT": "packaging/test_containers.py::test_what_is_published_is_published_on_this_machine_only",
    "BATCH_QUEUES":
        "packaging/test_containers.py::test_compose_gives_every_process_the_same_places_and_shares_the_queues_out",
    "WORKER_QUEUES": STARTED,
    "WORKER_CONCURRENCY": STARTED,
}  # fmt: skip


@lru_cache
def named_in(path: str) -> set[str]:
    """Names of a file's tests."""
    tree = ast.parse((TESTS / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_setting_is_shown() -> None:
    assert SHOWN.keys() == names()


@pytest.mark.parametrize("test", sorted(set(SHOWN.values())))
def test_what_shows_it_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert name in named_in(path)
