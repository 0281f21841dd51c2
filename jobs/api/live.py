"""AudioPod's live transcription, which this server does not do and says so by the socket that its clients open."""

from __future__ import annotations

import asyncio
import json

from channels.generic.websocket import AsyncWebsocketConsumer

from .nowhere import not_offered

NOT_OFFERED = 4501  # close code
READING_SECONDS = 1.0  # in which a client says how to begin and reads what it is told


class LiveTranscription(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        if error := not_offered(self.scope["path"]):
            await self.send(json.dumps({"type": "error", "code": error.code, "message": error.message}))
        await asyncio.sleep(READING_SECONDS)
        await self.close(NOT_OFFERED)
