"""HTTP and the progress sockets, in one ASGI application."""

from __future__ import annotations

import os
import sqlite3

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
http = get_asgi_application()

# Only now are the apps loaded that these need.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import DEFAULT_DB_ALIAS  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from jobs.api.live import LiveTranscription  # noqa: E402
from jobs.consumers import JobConsumer, JobsConsumer  # noqa: E402
from jobs.left_to_django import leave_bodies_unparsed, leave_long_addresses_whole  # noqa: E402
from jobs.lingering import lingering  # noqa: E402
from jobs.pacing import paced  # noqa: E402


def kept_open() -> sqlite3.Connection | None:
    """A connection to SQLite that nobody uses. Django gives each request a thread and a connection of its own, and with
    the last one that is closed SQLite puts its log away, which costs a request more than all else.
    """
    database = settings.DATABASES[DEFAULT_DB_ALIAS]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        return None
    connection = sqlite3.connect(database["NAME"])
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA schema_version").fetchone()  # only who has read the file counts as having it open
    return connection


database = kept_open()
leave_bodies_unparsed()
leave_long_addresses_whole()

sockets = URLRouter(
    [path("ws/jobs/<uuid:job>/", JobConsumer.as_asgi()), path("ws/jobs/", JobsConsumer.as_asgi())],
)
pages = AllowedHostsOriginValidator(AuthMiddlewareStack(sockets))
programs = path("api/v1/transcription/stream", LiveTranscription.as_asgi())
application = ProtocolTypeRouter(
    {"http": paced(lingering(http)), "websocket": URLRouter([programs, re_path("", pages)])},
)
