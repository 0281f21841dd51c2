"""AudioPod's SDK, synchronous and asynchronous, on its account calls and on what this server does not do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import audiopod
import pytest
from audiopod.exceptions import APIError, InsufficientBalanceError
from django.urls import resolve

from jobs.api.nowhere import nowhere
from tests.serving import Soloist

ADDRESS = re.compile(r'f?"/api/(v\d/[^"?\s]*)"')
BASE = re.compile(r'^(?:_BASE|V3_PREFIX) = "/api/(v1/[^"]*)"', re.MULTILINE)
OUT_OF_SCOPE = ("voice", "music", "translation", "video", "audiobook", "midi", "podcast", "reader")


def addresses_of(service: str) -> set[str]:
    """What a service of the SDK asks for."""
    source = (Path(audiopod.__file__).parent / "services" / f"{service}.py").read_text()
    addresses = {re.sub(r"\{[^}]*\}", "1", found) for found in ADDRESS.findall(source) + BASE.findall(source)}
    assert addresses
    return addresses


@pytest.fixture(scope="module")
def keys(web: Soloist) -> dict[str, str]:
    return {"rich": web.account("wallet@example.org"), "poor": web.account("poor-wallet@example.org", credits=10)}


@pytest.fixture
def rich(web: Soloist, keys: dict[str, str]) -> Iterator[audiopod.Client]:
    with audiopod.Client(api_key=keys["rich"], base_url=web.url, max_retries=0) as client:
        yield client


def test_the_sdk_reads_the_wallet(web, keys, rich):
    assert rich.wallet.get_balance()["balance_usd"] == "$133.33"
    assert rich.wallet.get_pricing()["services"]["speaker_extraction"]["rate_per_minute"] == "$0.044/min"
    assert rich.wallet.estimate_cost("speaker_extraction", 300)["cost_usd"] == "$0.22"
    assert rich.wallet.check_balance("speaker_diarization", 300)["can_proceed"] is True
    assert rich.wallet.get_usage_history(page=1, limit=5) == {"page": 1, "limit": 5, "logs": []}
    assert len(rich.wallet.get_topup_history()["topups"]) == 1
    assert "speaker_extraction" in rich.wallet.get_service_types()
    with (
        audiopod.Client(api_key=keys["poor"], base_url=web.url) as poor,
        pytest.raises(InsufficientBalanceError, match=r"Required: \$0.22, Available: \$0.00") as short,
    ):
        poor.wallet.check_balance("speaker_extraction", 300)
    assert (short.value.required_cents, short.value.available_cents) == (22, 0)


async def test_the_asynchronous_sdk_reads_the_wallet(web, keys):
    async with audiopod.AsyncClient(api_key=keys["rich"], base_url=web.url) as sdk:
        wallet = sdk.wallet
        asked = await asyncio.gather(
            wallet.get_balance(),
            wallet.get_pricing(),
            wallet.estimate_cost("speaker_extraction", 300),
            wallet.check_balance("speaker_extraction", 300),
            wallet.get_usage_history(),
            wallet.get_topup_history(),
            wallet.get_service_types(),
        )
        assert [type(answer) for answer in asked] == [dict] * 6 + [list]
        assert (await sdk.credits.get_multipliers())["speaker_extraction"] == 330
        with pytest.raises(APIError) as refusal:
            await sdk.music.get_presets()
        assert refusal.value.status_code == 501


def test_the_sdk_says_what_this_server_does_not_do(rich):
    with pytest.raises(APIError, match="Music generation is not part of this server") as refusal:
        rich.music.generate(prompt="a song", wait_for_completion=False)
    assert refusal.value.status_code == 501
    with pytest.raises(APIError, match="Buying credits is not part of this server"):
        rich.wallet.create_topup_checkout(2500)
    with pytest.raises(APIError, match="Reading texts aloud"):
        rich.reader.list_jobs()


def test_what_audiopods_documentation_has_beside_its_sdk_says_so_too(nobody):
    for address in ("transcription/stream", "auth/initiate-registration", "auth/verify-registration"):
        answer = nobody.get(f"/api/v1/{address}")
        assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_OFFERED")
    for verb in ("forgot", "reset", "change"):
        answer = nobody.post(f"/api/v1/auth/{verb}-password", {})
        assert answer.json()["details"] == {"service": "Changing passwords by programs"}


@pytest.mark.parametrize("service", ["speaker", "stem_extraction", "denoiser", "transcription", "credits", "wallet"])
def test_all_addresses_of_services_for_audio_are_served(service):
    for address in addresses_of(service):
        path = f"/api/{address}"
        assert (resolve(path).func is nowhere) == path.startswith("/api/v1/api-wallet/topup/"), address


def test_an_address_that_neither_the_sdk_nor_the_documentation_has_is_not_there(api):
    """Of an old plug-in; AudioPod's sources contradict each other on what it would answer."""
    assert "v1/speaker/separate" not in addresses_of("speaker")
    assert api.send("post", "speaker/separate", {"url": "https://example.org/a.wav"}).status_code == 404


@pytest.mark.parametrize("service", OUT_OF_SCOPE)
def test_all_addresses_of_services_out_of_scope_say_so(nobody, service):
    for address in addresses_of(service):
        for method in ("get", "post", "put", "delete"):
            answer = nobody.generic(method, f"/api/{address}")
            assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_OFFERED"), address
            assert answer.json()["details"]["service"]
