"""Calls to the API with keys of each kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from config.leaks.findings import Sweep
from config.leaks.walking import look_at, visitor
from privacy.models import ApiKey


@dataclass(frozen=True)
class Api:
    """Whatever is answered to a write is looked at."""

    sweep: Sweep
    keys: dict[str, str]

    def send(self, method: str, path: str, body: Any, *, kind: str = ApiKey.Kind.SECRET) -> Any:
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.keys[kind]}"}
        answer = visitor().generic(
            method, path, text, content_type="application/json", headers=headers
        )
        look_at(self.sweep, "API: replies to writes", f"{method} {path[:12]}", answer)
        return answer
