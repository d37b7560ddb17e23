"""API keys of back-office tools: made, listed, revoked. `app.auth.keys` says what a key is."""

from app.features.feature import Feature
from app.features.keys.routes import routes
from app.features.keys.service import NewKeyRequest, create_key, first_key, revoke_key
from app.features.keys.store import all_ids, all_keys, find_record
from app.features.keys.usage import KeyUsage

__all__ = ["FEATURE", "KeyUsage", "NewKeyRequest", "all_ids", "all_keys", "create_key", "find_record", "first_key", "revoke_key"]

FEATURE = Feature("keys", routes)
