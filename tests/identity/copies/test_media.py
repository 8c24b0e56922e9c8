"""What is accepted, by its first bytes and by what the caller says it is."""

import pytest

from ris.identity.copies.errors import CopyTypeRefused
from ris.identity.copies.media import SIGNATURES, MediaType, recognise


@pytest.mark.parametrize("kind", MediaType)
def test_each_accepted_type_is_recognised(kind: MediaType) -> None:
    assert recognise(SIGNATURES[kind] + b"...", kind) is kind
    assert recognise(SIGNATURES[kind], f"{kind.upper()}; charset=x") is kind


@pytest.mark.parametrize("declared", [*MediaType, "text/html", "image/gif", "", "*/*"])
@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xd8", b"<html><script>alert(1)</script>", b"MZ\x90\x00", b"PK\x03\x04",
        b"GIF89a", b"RIFF\x00\x00\x00\x00WEBP", b"II*\x00", b" %PDF-1.4", b"<svg xmlns=''/>",
        b"\x00\x00\x00\x18ftypheic", b"\x89PNG\r\n", b"%!PS-Adobe",
    ],
)  # fmt: skip
def test_a_file_of_another_type_is_refused_whatever_it_calls_itself(
    content: bytes, declared: str
) -> None:
    with pytest.raises(CopyTypeRefused):
        recognise(content, declared)


@pytest.mark.parametrize("kind", MediaType)
@pytest.mark.parametrize("declared", [*MediaType, "text/html", "application/octet-stream", ""])
def test_a_type_declared_wrongly_is_refused(kind: MediaType, declared: str) -> None:
    if declared == kind:
        return
    with pytest.raises(CopyTypeRefused):
        recognise(SIGNATURES[kind] + b"...", declared)
