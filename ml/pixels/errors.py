"""What can be wrong with a file's pixels, as one error with a stable code."""

from typing import Any, Literal

Code = Literal[
    "not_dicom",
    "pixel_data_truncated",
    "no_pixel_data",
    "multiframe_unsupported",
    "syntax_unreadable",
]


class PixelError(Exception):
    """A file whose pixels cannot be used.

    `code` is one of `Code`; `detail` holds numbers and names of formats, never identities or pixels.
    """

    def __init__(self, code: Code, sentence: str, **detail: Any) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code: Code = code
        self.sentence = sentence
        self.detail = detail
