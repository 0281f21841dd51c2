"""NeuralSpace's errors: the form of all its answers, with `success` false. What it says of them is not published."""

from __future__ import annotations

from jobs.compat.base import Body, KeyWithOrWithoutBearer, Refusal, VendorView


def envelope(refusal: Refusal) -> tuple[int, Body]:
    data = {"code": refusal.code, **({"errors": refusal.wrong} if refusal.wrong else refusal.details)}
    return refusal.status, {"success": False, "message": refusal.message, "data": data}


class View(VendorView):
    authentication_classes = [KeyWithOrWithoutBearer]
    envelope = staticmethod(envelope)


before_any_view = View.before_any_view
