"""The Celery application and its thin tasks: atlas_core, run chunk by chunk."""
