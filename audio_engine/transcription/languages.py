"""The languages that Whisper knows, by its codes: ISO 639-1 where there is one."""

from __future__ import annotations

LANGUAGES = frozenset(
    {
        *("af", "am", "ar", "as", "az", "ba", "be", "bg", "bn", "bo", "br", "bs", "ca", "cs", "cy", "da", "de", "el"),
        *("en", "es", "et", "eu", "fa", "fi", "fo", "fr", "gl", "gu", "ha", "haw", "he", "hi", "hr", "ht", "hu", "hy"),
        *("id", "is", "it", "ja", "jw", "ka", "kk", "km", "kn", "ko", "la", "lb", "ln", "lo", "lt", "lv", "mg", "mi"),
        *("mk", "ml", "mn", "mr", "ms", "mt", "my", "ne", "nl", "nn", "no", "oc", "pa", "pl", "ps", "pt", "ro", "ru"),
        *("sa", "sd", "si", "sk", "sl", "sn", "so", "sq", "sr", "su", "sv", "sw", "ta", "te", "tg", "th", "tk", "tl"),
        *("tr", "tt", "uk", "ur", "uz", "vi", "yi", "yo", "yue", "zh"),
    }
)
SYNONYMS = {"jv": "jw", "iw": "he", "nb": "no", "fil": "tl", "cmn": "zh"}


def language_code(tag: str) -> str | None:
    """Whisper's code for a language tag as "en", "en-US" or "PT_br"; None for a language that it does not know."""
    primary = tag.strip().lower().replace("_", "-").partition("-")[0]
    code = SYNONYMS.get(primary, primary)
    return code if code in LANGUAGES else None
