"""Programs that use the API in Alice's, Bob's and nobody's name, and jobs in each state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving import Console, Soloist

if TYPE_CHECKING:  # settings are not chosen yet when pytest reads this
    from jobs.models import Job, Media
    from tests.api.programs import Program


@pytest.fixture
def key_of() -> Callable[[Any], str]:
    from accounts.models import APIKey

    return lambda user: APIKey.issue(user, "tests")[1]


@pytest.fixture
def api(alice, key_of) -> Program:
    """Alice's program."""
    from tests.api.programs import Program

    return Program(key_of(alice))


@pytest.fixture
def bobs(bob, key_of) -> Program:
    from tests.api.programs import Program

    return Program(key_of(bob))


@pytest.fixture
def nobody(db) -> Program:
    from tests.api.programs import Program

    return Program()


@pytest.fixture
def upload(api: Program, recording) -> Callable[..., Any]:
    """Sends `recording` as a file, with fields."""

    def send(path: str = "speaker/extract", *, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        with recording.open("rb") as file:
            return api.post(f"/api/v1/{path}", {"file": file, **fields}, headers=headers)

    return send


@pytest.fixture
def queued(media: Media) -> Job:
    from jobs import lifecycle
    from jobs.options import SpeakerOptions

    return lifecycle.submit(media, "extraction", SpeakerOptions(num_speakers=2))


@pytest.fixture
def finished(queued: Job, recording) -> Job:
    from tests.api.programs import succeed

    return succeed(queued, recording)


@pytest.fixture
def diarized(media: Media, recording) -> Job:
    from jobs import lifecycle
    from jobs.options import SpeakerOptions
    from tests.api.programs import succeed

    return succeed(lifecycle.submit(media, "diarization", SpeakerOptions()), recording)


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soloist]:
    """A web server without workers: jobs go on when a test says so."""
    server = Soloist(
        tmp_path_factory.mktemp("web"),
        environment={"SOLOIST_STREAMS_PER_ACCOUNT": "12", "SOLOIST_EXTRACTORS": "youtube"},
    )
    try:
        server.manage("migrate", "--verbosity", "0")
        server.start_web()
        server.wait_until_up()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def console(web: Soloist) -> Iterator[Console]:
    """Does the worker's part for `web`."""
    console = web.console()
    yield console
    console.close()
