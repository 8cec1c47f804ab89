"""Pictures that a camera reads, drawn by segno.

Asked for a small picture, the package draws a Micro QR code, which authenticator apps can't read; so it is told not to.
"""

import io

from shopaccounts.adapters.extras import ExtraMissing, require_extra
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import NoQrCode, QrCode

__all__ = ["SegnoQrCode", "qr_code"]


class SegnoQrCode:
    """Draws QR codes as SVG text; keeps the promises of ``QrCode``.

    Raises:
        ExtraMissing: The extra ``qr`` isn't installed.
    """

    def __init__(self) -> None:
        require_extra("qr", self, "segno")

    def svg(self, text: Secret[str]) -> Secret[str]:
        """Answer a picture of *text*, to be set into a page as it is."""
        import segno  # noqa: PLC0415  (optional)

        picture = io.BytesIO()
        code = segno.make(text.reveal(), error="m", micro=False)
        code.save(picture, kind="svg", scale=4, xmldecl=False, svgns=True)
        return Secret(picture.getvalue().decode())


def qr_code() -> QrCode:
    """Answer what draws QR codes here: segno, or nothing where its extra isn't installed."""
    try:
        return SegnoQrCode()
    except ExtraMissing:
        return NoQrCode()
