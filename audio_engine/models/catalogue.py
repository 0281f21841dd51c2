"""The models that engines can use beyond those their packages ship."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """A repository of the Hugging Face hub, of which `files` are needed. `gated`: its page asks for consent first.
    `embedding` is the one of its files, if any, whose network makes the voiceprints.
    """

    name: str  # of its folder in the models folder
    repository: str
    licence: str
    gated: bool
    files: tuple[str, ...]
    engines: tuple[str, ...]
    megabytes: int  # to download; 0 for those of less than one
    embedding: str = ""

    @property
    def page(self) -> str:
        return f"https://huggingface.co/{self.repository}"

    @property
    def download(self) -> str:
        """How large it is, in words."""
        return f"{self.megabytes:,} MB" if self.megabytes else "less than 1 MB"


# OpenAI's weights as CTranslate2 reads them.
WHISPER_FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")
WHISPER_V3_FILES = ("config.json", "model.bin", "preprocessor_config.json", "tokenizer.json", "vocabulary.json")


def _whisper(size: str, repository: str, files: tuple[str, ...], megabytes: int) -> Model:
    name = f"whisper-{size}"
    return Model(name, repository, "MIT", gated=False, files=files, engines=(name,), megabytes=megabytes)


def _demucs(name: str, repository: str, signatures: tuple[str, ...], megabytes: int, *others: str) -> Model:
    files = (f"{name}.yaml", *(f"{signature}.safetensors" for signature in signatures))
    return Model(name, repository, "MIT", gated=False, files=files, engines=(name, *others), megabytes=megabytes)


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="speaker-diarization-community-1",
            repository="pyannote/speaker-diarization-community-1",
            licence="CC-BY-4.0",
            gated=True,
            files=(
                "config.yaml",
                "segmentation/pytorch_model.bin",
                "embedding/pytorch_model.bin",
                "plda/plda.npz",
                "plda/xvec_transform.npz",
            ),
            engines=("pyannote", "pyannote-shared", "pyannote-exact"),
            megabytes=33,  # as its architecture has it: 6 for segmentation, 27 for embedding
            embedding="embedding/pytorch_model.bin",
        ),
        Model(
            name="speaker-diarization-3.1",
            repository="pyannote/speaker-diarization-3.1",
            licence="MIT",
            gated=True,
            files=("config.yaml",),
            engines=("pyannote-3.1",),
            megabytes=0,
        ),
        Model(
            name="segmentation-3.0",
            repository="pyannote/segmentation-3.0",
            licence="MIT",
            gated=True,
            files=("pytorch_model.bin",),
            engines=("pyannote-3.1",),
            megabytes=6,
        ),
        Model(
            name="wespeaker-voxceleb-resnet34-LM",
            repository="pyannote/wespeaker-voxceleb-resnet34-LM",
            licence="CC-BY-4.0",
            gated=False,
            files=("pytorch_model.bin",),
            engines=("pyannote-3.1",),
            megabytes=27,
            embedding="pytorch_model.bin",
        ),
        Model(
            name="separation-ami-1.0",
            repository="pyannote/separation-ami-1.0",
            licence="MIT",
            gated=True,
            files=("pytorch_model.bin",),
            engines=("pixit",),
            megabytes=1277,  # 319 million parameters of 4 bytes
        ),
        Model(  # only its shape: the fine-tuned weights are in the one before
            name="wavlm-large",
            repository="microsoft/wavlm-large",
            licence="CC-BY-SA-3.0",
            gated=False,
            files=("config.json",),
            engines=("pixit",),
            megabytes=0,
        ),
        _whisper("large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo", WHISPER_V3_FILES, 1622),
        _whisper("large-v3", "Systran/faster-whisper-large-v3", WHISPER_V3_FILES, 3094),
        _whisper("small", "Systran/faster-whisper-small", WHISPER_FILES, 486),
        _whisper("base", "Systran/faster-whisper-base", WHISPER_FILES, 148),
        _demucs("htdemucs", "adefossez/HTDemucs", ("955717e8",), 84, "htdemucs-vocals"),
        _demucs("htdemucs_ft", "adefossez/HTDemucs-ft", ("f7e0c4bc", "d12395a8", "92cfc3b6", "04573f0d"), 336),
        _demucs("htdemucs_6s", "adefossez/HTDemucs-6s", ("5c90dfd2",), 55),
    )
}


def needed_by(engine: str) -> tuple[Model, ...]:
    return tuple(model for model in MODELS.values() if engine in model.engines)
