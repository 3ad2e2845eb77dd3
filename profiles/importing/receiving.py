"""Files of forms, sealed while they arrive: none of their plaintext is written to a disk."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from privacy.problems import DomainError
from profiles.importing.uploads import Incoming


class SealedUpload(UploadedFile[Any]):
    """A file as its form sees it, by name and size; its content is opened by `held` only.

    It is gone with the request, unless somebody calls `hold`.
    """

    def __init__(self, incoming: Incoming, *, name: str, content_type: str, size: int) -> None:
        super().__init__(name=name, content_type=content_type, size=size)
        self._incoming: Incoming | None = incoming
        self.held: UUID = incoming.uuid

    def hold(self) -> None:
        self._incoming = None

    def close(self) -> None:
        if self._incoming is not None:
            self._incoming.drop()


class SealingHandler(FileUploadHandler):
    """Takes the place of Django's handlers, which write larger files to a temporary folder."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._incoming = Incoming()
        self._is_too_large = False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._is_too_large:
            return
        try:
            self._incoming.write(raw_data)
        except DomainError:
            # The rest of the request is read all the same, so that the form can say so.
            self._is_too_large = True

    def file_complete(self, file_size: int) -> SealedUpload:
        self._incoming.finish()
        return SealedUpload(
            self._incoming,
            name=self.file_name or "",
            content_type=self.content_type or "",
            size=file_size,
        )

    def upload_interrupted(self) -> None:
        self._incoming.drop()
