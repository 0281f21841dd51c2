"""Timbr's errors: a sentence, and for a request's members a list, as FastAPI, on which Timbr runs, tells them."""

from __future__ import annotations

from jobs.compat.base import Body, KeyWithOrWithoutBearer, Refusal, VendorView

NOT_FOUND = {"MEDIA_NOT_FOUND": "File not found", "JOB_NOT_FOUND": "Job not found"}
ABOUT_THE_REQUEST = ("INVALID_OPTION", "INVALID_INPUT", "ENGINE_UNAVAILABLE")


def envelope(refusal: Refusal, where: str = "body") -> tuple[int, Body]:
    """`where` the wrong members were sent: body or query."""
    if refusal.code not in ABOUT_THE_REQUEST:
        return refusal.status, {"detail": NOT_FOUND.get(refusal.code, refusal.message)}
    wrong = [([where, field], rule) for field, rule in refusal.wrong.items()] or [([where], refusal.message)]
    return 422, {"detail": [{"loc": loc, "msg": rule, "type": "value_error"} for loc, rule in wrong]}


class View(VendorView):
    authentication_classes = [KeyWithOrWithoutBearer]
    envelope = staticmethod(envelope)


before_any_view = View.before_any_view
