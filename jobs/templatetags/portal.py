"""How the templates write times, sizes and icons."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.portal.figures import colour_of
from jobs.portal.offers import MEANINGS
from jobs.wording import clock, in_words, state_words

register = template.Library()
register.filter("clock", clock)
register.filter("in_words", in_words)
register.filter("colour_of", colour_of)
SHOWN_DOTS = 8


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing of our own sprite; the words beside it say the same."""
    drawing = format_html('<use href="{}#{}"></use>', static("icons.svg"), name)
    return format_html('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', drawing)


@register.filter
def age(moment: datetime) -> str:
    """just now, 5 min ago, 3 h ago, 12 Mar, 12 Mar 2024."""
    now = timezone.now()
    seconds = (now - moment).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 24 * 3600:
        return f"{int(seconds // 3600)} h ago"
    return f"{moment:%-d %b}" if moment.year == now.year else f"{moment:%-d %b %Y}"


@register.filter
def size(octets: int) -> str:
    """As people read sizes: 960 kB, 2.6 MB."""
    amount, units = float(octets), ["bytes", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if amount >= 10 or units[0] == "bytes" else f"{amount:.1f} {units[0]}"


@register.filter
def signed(credits: int) -> str:
    return f"{credits:+,}".replace("-", "−")


@register.filter
def whole_clock(seconds: float) -> str:
    return clock(int(seconds))


@register.filter
def grouped(number: int) -> str:
    return f"{number:,}"


@register.filter
def percent(fraction: float) -> int:
    return int(fraction * 100)


@register.filter
def doing(job: object) -> str:
    return state_words(job.status, job.stage)  # type: ignore[attr-defined]


@register.filter
def task_name(job: object) -> str:
    task = job.task  # type: ignore[attr-defined]
    return MEANINGS[task][0] if task in MEANINGS else task.capitalize()


@register.filter
def dots(speakers: int | None) -> list[int]:
    """Colours of the dots that stand for so many speakers."""
    return [colour_of(speaker) for speaker in range(min(speakers or 0, SHOWN_DOTS))]
