"""A stable share of the contacts: drawn by hashed id, the same on every engine and every day."""

from __future__ import annotations

from typing import Any

import ibis

_DIGITS = 8


def drawn_below(contact_id: Any, salt: str, share: float) -> Any:
    """Say which contacts lie in the first so large a share of the draw that the salt names.

    The first eight hexadecimal digits of ``sha256(salt + ":" + contact_id)`` are compared, as text, with those of the share.

    Parameters
    ----------
    contact_id : ibis string column
    salt : str
    share : float
        From 0 to 1.

    Returns
    -------
    ibis bool column
    """
    bound = round(share * 16**_DIGITS)
    if bound >= 16**_DIGITS:
        return ibis.literal(True)
    digest = (ibis.literal(f"{salt}:") + contact_id).hexdigest("sha256").substr(0, _DIGITS)
    return digest < f"{bound:0{_DIGITS}x}"
