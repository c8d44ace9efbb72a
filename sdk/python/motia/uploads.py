"""Files of multipart forms."""

from __future__ import annotations


class UploadedFile:
    """A file that a client sent in a form: `req.body["avatar"].data`."""

    __slots__ = ("_at", "content_type", "data", "filename")

    def __init__(self, filename: str, content_type: str, data: bytes) -> None:
        self.filename = filename
        self.content_type = content_type
        self.data = data
        self._at = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, as a file has them."""
        end = len(self.data) if size is None or size < 0 else self._at + size
        piece = self.data[self._at : end]
        self._at += len(piece)
        return piece

    def seek(self, at: int) -> int:
        self._at = max(0, min(at, len(self.data)))
        return self._at

    def __repr__(self) -> str:
        return f"<uploaded file {self.filename!r}, {self.content_type}, {self.size} bytes>"
