"""Telling pictures from other binary data by how they begin; names and declared types can lie."""

MAX_PICTURE_BYTES = 500_000

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def picture_kind(data: bytes) -> str | None:
    """Return the media type of a PNG, JPEG, GIF or WebP picture, None for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for beginning, kind in _BEGINNINGS if data.startswith(beginning)), None)
