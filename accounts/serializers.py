"""What the account's part of the API takes and gives, in AudioPod's fields."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from .models import CreditEntry, User

MOST_ENTRIES_A_PAGE = 500


SERVICE_TYPES = {  # as AudioPod calls them
    "extraction": "speaker_extraction",
    "diarization": "speaker_diarization",
    "denoising": "denoise_audio",
    "stems": "stem_extraction",
}


def service_type(task: str) -> str:
    return SERVICE_TYPES.get(task, task)


class Credentials(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=254, help_text="The account's email address.")
    password = serializers.CharField(max_length=4096, trim_whitespace=False)


class RefreshRequest(serializers.Serializer[Any]):
    refresh_token = serializers.CharField(max_length=4096)


class Tokens(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")
    refresh_token = serializers.CharField(required=False, help_text="Good for two weeks; only from `auth/token`.")


class Me(serializers.ModelSerializer[User]):
    username = serializers.EmailField(source="email", read_only=True)
    full_name = serializers.CharField(source="get_full_name", read_only=True)
    created_at = serializers.DateTimeField(source="date_joined", read_only=True)

    class Meta:
        model = User
        fields = ["id", "email", "username", "first_name", "last_name", "full_name", "is_active", "created_at"]
        read_only_fields = ["id", "email", "is_active"]


class Balance(serializers.Serializer[Any]):
    credits_balance = serializers.IntegerField(help_text="What can be spent now.")
    credits_held = serializers.IntegerField(help_text="Set aside for jobs under way.")
    payg_balance = serializers.IntegerField(help_text="Always 0: there is one kind of credits.")
    total_available_credits = serializers.IntegerField()
    total_credits_used = serializers.IntegerField()
    total_payg_credits_purchased = serializers.IntegerField()
    credits_per_month = serializers.IntegerField(help_text="Always 0: credits are granted and do not expire.")
    last_reset_at = serializers.DateTimeField(allow_null=True)
    next_reset_date = serializers.DateTimeField(allow_null=True)

    @staticmethod
    def of(available: int, held: int, *, used: int) -> dict[str, Any]:
        return {
            "credits_balance": available,
            "credits_held": held,
            "payg_balance": 0,
            "total_available_credits": available,
            "total_credits_used": used,
            "total_payg_credits_purchased": 0,
            "credits_per_month": 0,
            "last_reset_at": None,
            "next_reset_date": None,
        }


class EntriesQuery(serializers.Serializer[Any]):
    skip = serializers.IntegerField(default=0, min_value=0, max_value=10**9)
    limit = serializers.IntegerField(default=100, min_value=1, max_value=MOST_ENTRIES_A_PAGE)


class Usage(serializers.Serializer[CreditEntry]):
    id = serializers.IntegerField()
    user_credits_id = serializers.UUIDField(source="user_id")
    credits_used = serializers.IntegerField(source="spent")
    service_type = serializers.SerializerMethodField(help_text="Such as `speaker_extraction`.")
    audio_duration = serializers.FloatField(source="audio_seconds", help_text="Seconds.")
    credit_source = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    usage_metadata = serializers.SerializerMethodField(help_text="The job's `task_id`.")

    def get_service_type(self, entry: CreditEntry) -> str:
        return service_type(entry.service)

    def get_credit_source(self, _entry: CreditEntry) -> str:
        return "subscription"  # of AudioPod's two words, the one for credits that are not bought one by one

    def get_usage_metadata(self, entry: CreditEntry) -> dict[str, str]:
        return {"task_id": str(entry.job)}
