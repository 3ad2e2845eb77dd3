"""What can be wrong with a template; apart from the sandbox, so that few load Liquid."""

from __future__ import annotations


class TemplateError(Exception):
    """A template that cannot be used: `code`, what it is about, field and line (1 = first)."""

    def __init__(
        self, code: str, about: str = "", line: int | None = None, *, field: str = ""
    ) -> None:
        super().__init__(code, about, line)
        self.code = code
        self.about = about
        self.line = line
        self.field = field

    def __str__(self) -> str:
        place = f" (line {self.line})" if self.line else ""
        return f"{self.code}: {self.about}{place}" if self.about else f"{self.code}{place}"
