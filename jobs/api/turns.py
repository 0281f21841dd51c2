"""/api/v1/jobs/{id}/turns: who spoke when as corrected, correcting it, and making the tracks anew."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from jobs import correcting, naming, remaking, sent_turns, turns
from jobs.models import Job

from . import render, results
from . import turns_schema as schema
from .problems import OwnView
from .turns_schema import TurnsSerializer
from .verbs import own_job


class Turns(OwnView):
    @schema.TURNS
    def get(self, request: Request, job_id: int) -> Response:
        return Response(_turns(own_job(request.user, job_id)))

    @schema.CORRECT
    def put(self, request: Request, job_id: int) -> Response:
        job = own_job(request.user, job_id)
        turns.current(job)  # which says why there are none
        given = TurnsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        _correct(job, given.validated_data)
        return Response(_turns(job))


class Remake(OwnView):
    @schema.REMAKE
    def post(self, request: Request, job_id: int) -> Response:
        job = remaking.remake(own_job(request.user, job_id), actor=request.user)
        return Response(render.job(job, request))


def _correct(job: Job, given: dict[str, Any]) -> None:
    base = given["version"]
    if "restore" in given:
        correcting.restore(job, base, given["restore"])
        return
    name_of = naming.name_of(job)
    called = {speaker: name_of(speaker) for speaker in turns.speakers(job)}
    wanted, names = sent_turns.matched(given["turns"], called, correcting.unheard(job))
    correcting.put(job, base, wanted)
    for speaker, name in names.items():
        naming.call(job, speaker, name)


def _turns(job: Job) -> dict[str, Any]:
    present = turns.current(job)
    name_of = naming.name_of(job)
    wanting = remaking.wanting(job)
    remade = remaking.under_way(wanting) if wanting else None
    return {
        "job_id": job.number,
        "version": turns.latest(job),
        "speakers": [
            {"id": speaker, "label": results.label(job, speaker), "name": name_of(speaker)}
            for speaker in turns.speakers(job)
        ],
        "turns": [
            {
                "start": turn.start,
                "end": turn.end,
                "speaker": results.label(job, turn.speaker),
                "confidence": turn.confidence,
            }
            for turn in present
        ],
        "versions": [
            {"version": change.number, "what": change.what, "created_at": render.moment(change.created_at)}
            for change in job.turn_versions.order_by("number")
        ],
        "tracks_follow": wanting is None,
        "remade_as": remade.number if remade else None,
    }
