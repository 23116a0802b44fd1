"""The store: what must survive, over any object storage."""

from atlas_core.store.backends import open_backend
from atlas_core.store.store import BlobInfo, RecordInfo, Store, open_store

__all__ = ["BlobInfo", "RecordInfo", "Store", "open_backend", "open_store"]
