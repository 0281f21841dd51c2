"""The two packaged networks as plain torch modules: silero's voice activity detector and the GE2E speaker encoder.

Both are rebuilt here rather than called through their packages. Silero's own wrapper hands the network one 32 ms frame
after another; here its convolutions take all frames of a block at once and only the LSTM runs in time, which gives the
same numbers and, besides the posteriors, the hidden states. Resemblyzer's package imports libraries that no longer
exist on current Pythons, while its weights are a plain state dict.

Sources: Silero Team, "Silero VAD" (2021-2025); Wan et al., "Generalized End-to-End Loss for Speaker Verification"
(ICASSP 2018), weights by Corentin Jemine (Resemblyzer).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

SILERO_FRAME = 512  # samples
SILERO_CONTEXT = 64
SILERO_HIDDEN = 128
STFT_SIZE, STFT_BINS = 256, 129

State = tuple[Tensor, Tensor]


class SileroVad(nn.Module):
    """Frames (n, 576) float32 at 16 kHz, each led by the last 64 samples of the one before, to logits (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.stft_basis = nn.Parameter(torch.zeros(STFT_SIZE, 2 * STFT_BINS))
        self.conv1 = nn.Conv1d(129, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, 3, padding=1)
        self.lstm = nn.LSTM(128, SILERO_HIDDEN)
        self.final_conv = nn.Conv1d(SILERO_HIDDEN, 1, 1)

    def encode(self, frames: Tensor) -> Tensor:
        """What needs no memory of earlier frames: (n, 576) to (n, 128)."""
        pieces = nn.functional.pad(frames, (0, STFT_SIZE // 4), mode="reflect").unfold(1, STFT_SIZE, STFT_SIZE // 2)
        spectrum = (pieces.reshape(-1, STFT_SIZE) @ self.stft_basis).view(*pieces.shape[:2], 2 * STFT_BINS)
        x = (spectrum[..., :STFT_BINS].square() + spectrum[..., STFT_BINS:].square()).sqrt().transpose(1, 2)
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = layer(x).relu()
        return x.squeeze(-1)

    def recur(self, encoded: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        """From what `encode` gives to logits (n,), hidden states (n, 128) and the state to go on from."""
        hidden, state = self.lstm(encoded.unsqueeze(1), state)
        logits = self.final_conv(hidden.relu().permute(1, 2, 0)).flatten()
        return logits, hidden.squeeze(1), state

    def forward(self, frames: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        return self.recur(self.encode(frames), state)


class SpeakerEncoder(nn.Module):
    """Mel power spectra (batch, frames, 40) to unit embeddings (batch, 256), none of whose values is negative."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)

    def forward(self, mels: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(self.linear(hidden[-1]).relu().float(), dim=1)


def load_silero(path: Path) -> SileroVad:
    """Reads the 16 kHz half of the packaged TorchScript file."""
    packaged = torch.jit.load(path, map_location="cpu")._model  # type: ignore[no-untyped-call]
    network = SileroVad()
    network.stft_basis.data.copy_(packaged.stft.forward_basis_buffer[:, 0].T)
    for index, layer in enumerate((network.conv1, network.conv2, network.conv3, network.conv4)):
        layer.load_state_dict(getattr(packaged.encoder, str(index)).reparam_conv.state_dict())
    network.lstm.load_state_dict({f"{name}_l0": value for name, value in packaged.decoder.rnn.state_dict().items()})
    network.final_conv.load_state_dict(getattr(packaged.decoder.decoder, "2").state_dict())
    return network.eval().requires_grad_(False)


def load_speaker_encoder(path: Path) -> SpeakerEncoder:
    weights = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    network = SpeakerEncoder()
    for name, parameter in network.named_parameters():
        parameter.data.copy_(weights[name])
    return network.eval().requires_grad_(False)
