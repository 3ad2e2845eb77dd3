"""Sends the models of the keystore to their own database, and nothing else there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db import models

KEYSTORE_MODELS = {"keyring", "ledgerentry", "rootkey", "subjectkey"}


class KeystoreRouter:
    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return self._place(model._meta.app_label, model._meta.model_name)

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        return self._place(model._meta.app_label, model._meta.model_name)

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        if model_name is None:  # raw SQL and Python steps, which are written for the default
            return db != "keystore"
        return (db == "keystore") == (self._place(app_label, model_name) == "keystore")

    def _place(self, app_label: str, model_name: str | None) -> str | None:
        return "keystore" if app_label == "privacy" and model_name in KEYSTORE_MODELS else None
