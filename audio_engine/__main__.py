"""The engine on the command line, without a server: `python -m audio_engine extract RECORDING --output FOLDER`."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from . import registry
from .errors import EngineError
from .given_turns import read_turns
from .models.offline import go_offline
from .music import STEMS, StemsRequest, StemsResult
from .registry import AUTO
from .sound import EQUALIZERS, QUALITIES, DenoisingRequest, DenoisingResult
from .transcription.languages import language_code
from .transcription.subtitles import read_subtitles
from .types import (
    OVERLAP_POLICIES,
    Progress,
    Request,
    Result,
    SpeakerBounds,
    SpeakerRequest,
    SpeakerResult,
    SpeakerStats,
    Stage,
    TranscriptionRequest,
    TranscriptionResult,
    Turn,
)
from .voices import VoiceAttributes

REJECTED, FAILED, INTERRUPTED = 2, 1, 130
BAR_WIDTH = 30
COLUMNS = ("speaker", "talk s", "share", "turns", "overlap s", "RMS dB", "peak", "LUFS", "SNR dB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 the recording or an option is refused, 1 the engine failed, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except EngineError as error:
        _say_error(error, options.json)
        return REJECTED if error.permanent else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:  # the traceback is for us, the line below it for the user
        traceback.print_exc()
        _say_error(EngineError("ENGINE_FAILED", "The engine failed."), options.json)
        return FAILED
    finally:
        registry.unload()  # first: Python's own end touches 120 MB of PyTorch's pages beside what is still held
    return 0


def _probe(options: argparse.Namespace) -> None:
    from .media import probe

    found = asdict(probe(options.recording))
    print(json.dumps(found) if options.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


def _extract(options: argparse.Namespace) -> None:
    turns, names = _turns(options, "engine")
    request = SpeakerRequest(
        source=options.recording,
        output=options.output,
        task=options.task,
        engine=options.engine,
        speakers=SpeakerBounds(options.num_speakers, options.min_speakers, options.max_speakers),
        overlap=getattr(options, "overlap", "separate"),
        separator=getattr(options, "separator", AUTO),
        clean_background=getattr(options, "clean_background", False),
        cleaner=getattr(options, "cleaner", AUTO),
        compact=getattr(options, "compact", False),
        voice_attributes=options.voice_attributes,
        turns=turns,
        names=names,
    )
    _run(request, options.json)


def _turns(options: argparse.Namespace, teller: str) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """Those that are given, and how their speakers are called; `teller` is the option of an engine that tells them."""
    if not options.turns:
        return (), ()
    for name in (teller, "num_speakers", "min_speakers", "max_speakers"):
        if getattr(options, name) not in (None, AUTO):
            rule = "is for an engine that tells who speaks; with turns, leave it out"
            raise EngineError("INVALID_OPTION", f"{name} {rule}.", details={"field": name, "rule": rule})
    return read_turns(options.turns)


def _transcribe(options: argparse.Namespace) -> None:
    turns, names = _turns(options, "diarizer")
    request = TranscriptionRequest(
        source=options.recording,
        output=options.output,
        engine=options.engine,
        diarizer=options.diarizer,
        speakers=SpeakerBounds(options.num_speakers, options.min_speakers, options.max_speakers),
        language=language_code(options.language) or options.language,
        subtitles=read_subtitles(options.srt) if options.srt else "",
        voice_attributes=options.voice_attributes,
        turns=turns,
        names=names,
    )
    _run(request, options.json)


def _denoise(options: argparse.Namespace) -> None:
    request = DenoisingRequest(
        source=options.recording,
        output=options.output,
        engine=options.engine,
        quality=options.quality,
        strength=options.strength,
        equalizer=options.equalizer,
        compress=options.compress,
        loudness=options.loudness,
    )
    _run(request, options.json)


def _split(options: argparse.Namespace) -> None:
    stems = tuple(filter(None, options.stems.split(",")))
    request = StemsRequest(source=options.recording, output=options.output, engine=options.engine, stems=stems)
    _run(request, options.json)


def _run(request: Request, as_json: bool) -> None:
    from .pipeline import run

    _clear(request.output)
    with _progress_bar() as progress, contextlib.redirect_stdout(sys.stderr):  # stdout is for the result
        for engine, task in request.engines():
            registry.prepare(engine, task)
        go_offline()
        result = run(request, progress)
    print((request.output / "result.json").read_text(encoding="utf-8") if as_json else _said(result, request))


def _said(result: Result, request: Request) -> str:
    names = request.names if isinstance(request, SpeakerRequest) else ()
    lines = [_table(result, names)] if isinstance(result, SpeakerResult) else []
    if isinstance(result, DenoisingResult):
        lines.append(_denoised(result))
    if isinstance(result, StemsResult):
        lines += [f"{stem.stem}: {_level(stem.rms_db)} dBFS" for stem in result.stems]
    if isinstance(result, TranscriptionResult):
        lines.append("\n" + (request.output / "transcript.txt").read_text(encoding="utf-8"))
    return "\n".join([*lines, *(f"warning: {warning}" for warning in result.warnings)])


def _denoised(result: DenoisingResult) -> str:
    less = result.noise_reduction_db
    noise = "silent throughout" if less is None else f"{less:.1f} dB less noise"
    return f"{result.media.seconds:.1f} s: {noise}, {_level(result.after.loudness_lufs)} LUFS"


def _models(options: argparse.Namespace) -> None:
    from .models import commands

    commands.run(options.action, options.names, print)


def _clear(folder: Path) -> None:
    """Remove what an earlier run left, which might have found more speakers."""
    left = ("speaker_*.wav", "denoised.wav", "*.rttm", "confidence.json", "result.json", "transcript.*")
    for pattern in (*left, *(f"{stem}.wav" for stem in STEMS)):
        for path in folder.glob(pattern):
            path.unlink()


@contextlib.contextmanager
def _progress_bar() -> Iterator[Progress]:
    shown = sys.stderr.isatty()

    def draw(stage: Stage, fraction: float) -> None:
        if not shown:
            return
        done = round(fraction * BAR_WIDTH)
        print(f"\r[{'#' * done:<{BAR_WIDTH}}] {fraction:4.0%}  {stage:<15}", end="", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        if shown:
            print(f"\r{'':<{BAR_WIDTH + 30}}\r", end="", file=sys.stderr, flush=True)


def _table(result: SpeakerResult, names: Sequence[str]) -> str:
    rows = [COLUMNS, *(_row(stats, names[stats.speaker] if names else "") for stats in result.speakers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    recording = result.recording
    return "\n".join(
        [
            *lines,
            *map(_voice, result.voice_attributes),
            f"{result.media.seconds:.1f} s: {recording.speech_seconds:.1f} s speech, {recording.silence_seconds:.1f} s"
            f" silence, {recording.overlap_seconds:.1f} s overlap",
        ]
    )


def _row(stats: SpeakerStats, name: str) -> tuple[str, ...]:
    return (
        f"{stats.speaker} {name}".rstrip(),
        f"{stats.talk_seconds:.1f}",
        f"{stats.talk_share:.0%}",
        str(stats.turns),
        f"{stats.overlap_seconds:.1f}",
        _level(stats.rms_db),
        "-" if stats.peak is None else f"{stats.peak:.3f}",
        _level(stats.loudness_lufs),
        _level(stats.snr_db),
    )


def _voice(attributes: VoiceAttributes) -> str:
    if attributes.pitch_median is None:
        return f"voice of speaker {attributes.speaker}: too little was heard of it alone"
    pitch = f"{attributes.pitch_low:.0f} to {attributes.pitch_high:.0f} Hz, median {attributes.pitch_median:.0f}"
    guess = "" if attributes.gender_confidence is None else f" ({attributes.gender_confidence} %)"
    return f"voice of speaker {attributes.speaker}: {pitch}; gender {attributes.gender}{guess}"


def _level(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _say_error(error: EngineError, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": error.to_json()}))
    else:
        print(f"{error.code}: {error.message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    from .models.commands import add_arguments as add_models_arguments

    parser = argparse.ArgumentParser(prog="python -m audio_engine", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("recording", type=Path, help="audio or video file")
    common.add_argument("--json", action="store_true", help="print JSON, errors included")
    probing = commands.add_parser("probe", parents=[common], help="say what a recording is and how long")
    probing.set_defaults(run=_probe)
    diarizing = argparse.ArgumentParser(add_help=False)
    diarizing.add_argument("--output", type=Path, required=True, help="folder for the results")
    diarizing.add_argument("--num-speakers", type=int, metavar="N", help="exactly so many speakers")
    diarizing.add_argument("--min-speakers", type=int, metavar="N")
    diarizing.add_argument("--max-speakers", type=int, metavar="N")
    diarizing.add_argument("--engine", default=AUTO, metavar="NAME")
    diarizing.add_argument("--voice-attributes", action="store_true", help="tell pitch, and guess gender by it")
    diarizing.set_defaults(run=_extract)
    knowing = argparse.ArgumentParser(add_help=False)
    knowing.add_argument("--turns", type=Path, metavar="RTTM", help="who spoke when, where you know it")
    extracting = commands.add_parser("extract", parents=[common, diarizing, knowing], help="a track for each speaker")
    extracting.add_argument(
        "--overlap", choices=OVERLAP_POLICIES, default="separate", help="tracks where several speak at once"
    )
    extracting.add_argument("--separator", default=AUTO, metavar="NAME", help="the engine that splits overlaps")
    extracting.add_argument("--clean-background", action="store_true", help="lower noise and music in the tracks")
    extracting.add_argument("--cleaner", default=AUTO, metavar="NAME", help="the engine that does")
    extracting.add_argument("--compact", action="store_true", help="leave the silence out of the tracks")
    extracting.set_defaults(task="extraction")
    telling = commands.add_parser("diarize", parents=[common, diarizing, knowing], help="who spoke when")
    telling.set_defaults(task="diarization")
    transcribing = commands.add_parser(
        "transcribe", parents=[common, diarizing, knowing], help="what was said and by whom"
    )
    transcribing.add_argument("--language", default="", metavar="CODE", help="such as en; found out if left out")
    transcribing.add_argument("--diarizer", default=AUTO, metavar="NAME", help="the engine that tells the speakers")
    transcribing.add_argument("--srt", type=Path, metavar="FILE", help="give speakers to its lines; recognise nothing")
    transcribing.set_defaults(run=_transcribe)
    denoising = commands.add_parser("denoise", parents=[common], help="the recording with less noise")
    denoising.add_argument("--output", type=Path, required=True, help="folder for the results")
    denoising.add_argument("--quality", choices=QUALITIES, default="studio", help="what the noise is known by")
    denoising.add_argument("--strength", type=float, default=1.0, metavar="0..1", help="how much of the noise goes")
    denoising.add_argument("--equalizer", choices=EQUALIZERS)
    denoising.add_argument("--compress", action="store_true", help="bring loud and soft closer together")
    denoising.add_argument("--loudness", type=float, metavar="LUFS", help="bring it to a loudness (EBU R 128)")
    denoising.add_argument("--engine", default=AUTO, metavar="NAME")
    denoising.set_defaults(run=_denoise)
    splitting = commands.add_parser("stems", parents=[common], help="vocals, drums and so on, each in a file")
    splitting.add_argument("--output", type=Path, required=True, help="folder for the results")
    splitting.add_argument("--stems", default="", metavar="NAME,…", help=f"of {', '.join(STEMS)}; all if left out")
    splitting.add_argument("--engine", default=AUTO, metavar="NAME")
    splitting.set_defaults(run=_split)
    modelling = commands.add_parser("models", help="list, fetch or check models that no package ships")
    modelling.set_defaults(run=_models, json=False)
    add_models_arguments(modelling)
    return parser


if __name__ == "__main__":
    sys.exit(main())
