"""The CAM++ speaker network, made to hear a long stretch once and to tell the voice of any window in it.

Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking" (Interspeech
2023): convolutions over the spectrum, a densely connected time-delay network whose layers are gated by what is heard
around, statistics over frames. The authors' network takes one utterance; its gates see the utterance's mean and that
of two seconds of it. Here they see the mean of a second and a half around, about as long as the windows that are
pooled, so that a window's embedding hardly depends on the stretch that it lies in, and overlapping windows cost no more
than one. Norms that follow a product are folded into its weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, conv1d, conv2d, linear, pad

Weights = Mapping[str, Tensor]

MEL_FRAMES = 2  # to one frame of the network
PIECE = 1000  # mel frames
REACH = 10  # mel frames to either side that the convolutions over the spectrum see
SEGMENT = 25  # frames of 20 ms for which the gates' context is the same
CONTEXT = 3  # segments
NORM_EPSILON = 1e-5
DENSE_BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers, dilation
GROWTH = 32  # channels that a layer adds
FRAME_CHANNELS = 512
EMBEDDING = 192


class CamPlusPlus(nn.Module):
    """Mean-free log mels (frames, 80), as many as a multiple of MEL_FRAMES * SEGMENT, to (frames / 2, 512) float32."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        blocks = (SpectralBlock(weights, f"head.layer{layer}.{part}") for layer in (1, 2) for part in (0, 1))
        self.spectral = nn.Sequential(
            Convolution(weights, "head.conv1", "head.bn1"), *blocks, Convolution(weights, "head.conv2", "head.bn2", 2)
        )
        self.entry = Folded(weights, "xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm")
        self.stages = nn.Sequential(
            *(
                DenseStage(weights, f"xvector.block{number}", f"xvector.transit{number}", layers, dilation)
                for number, (layers, dilation) in enumerate(DENSE_BLOCKS, start=1)
            )
        )
        self.exit = Norm(weights, "xvector.out_nonlinear.batchnorm")
        self.embedding = Folded(weights, "xvector.dense.linear", "xvector.dense.nonlinear.batchnorm")

    def forward(self, mels: Tensor) -> Tensor:
        heard = torch.cat(list(self.pictures(mels)), dim=1)[None]
        frames = conv1d(heard, self.entry.weight, self.entry.bias, stride=MEL_FRAMES, padding=2).relu_()[0].T
        found: Tensor = self.exit(self.stages(frames)).relu_().float()
        return found

    def pictures(self, mels: Tensor) -> Iterator[Tensor]:
        """What the convolutions over the spectrum find, (320, frames), piece by piece to save memory."""
        for start in range(0, len(mels), PIECE):
            before = min(start, REACH)
            picture = mels[start - before : start + PIECE + REACH].T[None, None]
            found = self.spectral(picture.contiguous(memory_format=torch.channels_last))[0].flatten(0, 1)
            yield found[:, before : before + PIECE]

    def embed(self, mean: Tensor, deviation: Tensor) -> Tensor:
        """Embeddings (windows, 192) float32 from the statistics of their frames, each of shape (windows, 512)."""
        weight, bias = self.embedding.weight[:, :, 0].float(), self.embedding.bias.float()
        return linear(torch.cat((mean, deviation), dim=1), weight, bias)


class Norm(nn.Module):
    """A batch norm at rest: a scale and a shift of each of the last dimension's channels."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        scale, shift = _scale_and_shift(weights, name)
        self.scale, self.shift = nn.Parameter(scale), nn.Parameter(shift)

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, x, self.scale)


class Folded(nn.Module):
    """The weights of a product with the norm that follows it in them."""

    def __init__(self, weights: Weights, product: str, norm: str) -> None:
        super().__init__()
        scale, shift = _scale_and_shift(weights, norm)
        weight = weights[f"{product}.weight"]
        self.weight = nn.Parameter(weight * scale.view(-1, *[1] * (weight.dim() - 1)))
        self.bias = nn.Parameter(shift)


class Convolution(Folded):
    """Over mels and frames, (1, channels, mels, frames), with steps of `stride` mels."""

    def __init__(self, weights: Weights, product: str, norm: str, stride: int = 1) -> None:
        super().__init__(weights, product, norm)
        self.weight.data = self.weight.data.contiguous(memory_format=torch.channels_last)
        self.stride, self.reach = stride, self.weight.shape[2] // 2

    def linear(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight, self.bias, stride=(self.stride, 1), padding=self.reach)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).relu_()


class SpectralBlock(nn.Module):
    """Two convolutions and a way around them; the first one of a layer halves the mels."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        halves = f"{name}.shortcut.0.weight" in weights
        stride = 2 if halves else 1
        self.first = Convolution(weights, f"{name}.conv1", f"{name}.bn1", stride)
        self.second = Convolution(weights, f"{name}.conv2", f"{name}.bn2")
        self.around = Convolution(weights, f"{name}.shortcut.0", f"{name}.shortcut.1", stride) if halves else None

    def forward(self, x: Tensor) -> Tensor:
        beside = self.around.linear(x) if self.around else x
        return self.second.linear(self.first(x)).add_(beside).relu_()


class DenseStage(nn.Module):
    """Layers that each add GROWTH channels to what all before them have found, then half as many channels of all."""

    def __init__(self, weights: Weights, block: str, transition: str, layers: int, dilation: int) -> None:
        super().__init__()
        names = (f"{block}.tdnnd{number + 1}" for number in range(layers))
        self.layers = nn.ModuleList(GatedLayer(weights, name, dilation) for name in names)
        self.norm = Norm(weights, f"{transition}.nonlinear.batchnorm")
        self.halve = nn.Parameter(weights[f"{transition}.linear.weight"][:, :, 0])

    def forward(self, x: Tensor) -> Tensor:
        frames, channels = x.shape
        found = x.new_empty(frames, channels + GROWTH * len(self.layers))
        found[:, :channels] = x
        for layer in self.layers:
            found[:, channels : channels + GROWTH] = layer(found[:, :channels])
            channels += GROWTH
        return linear(self.norm(found).relu_(), self.halve)


class GatedLayer(nn.Module):
    """Frames (frames, channels) to (frames, GROWTH): a dilated convolution, each channel of it let through as far as
    its context asks for."""

    def __init__(self, weights: Weights, name: str, dilation: int) -> None:
        super().__init__()
        self.norm = Norm(weights, f"{name}.nonlinear1.batchnorm")
        self.narrow = Folded(weights, f"{name}.linear1", f"{name}.nonlinear2.batchnorm")
        self.narrow.weight.data = self.narrow.weight.data[:, :, 0]
        gate = f"{name}.cam_layer"
        taps = weights[f"{gate}.linear_local.weight"].permute(0, 2, 1)
        self.local, self.dilation = nn.Parameter(taps.flatten(1).contiguous()), dilation
        self.squeeze = nn.Parameter(weights[f"{gate}.linear1.weight"][:, :, 0])
        self.squeeze_bias = nn.Parameter(weights[f"{gate}.linear1.bias"])
        self.open = nn.Parameter(weights[f"{gate}.linear2.weight"][:, :, 0])
        self.open_bias = nn.Parameter(weights[f"{gate}.linear2.bias"])

    def forward(self, x: Tensor) -> Tensor:
        x = linear(self.norm(x).relu_(), self.narrow.weight, self.narrow.bias).relu_()
        frames, step = len(x), self.dilation
        padded = pad(x, (0, 0, step, step))
        taps = torch.cat((padded[:frames], x, padded[2 * step :]), dim=1)
        gates = self.gates(x)
        found: Tensor = (linear(taps, self.local).view(-1, SEGMENT, GROWTH) * gates[:, None]).view(frames, GROWTH)
        return found

    def gates(self, x: Tensor) -> Tensor:
        """Of each segment, (segments, GROWTH). The factor 2 is the authors': their two means are added."""
        means = x.view(-1, SEGMENT, x.shape[1]).mean(dim=1)
        around = avg_pool1d(means.T[None], CONTEXT, 1, CONTEXT // 2, count_include_pad=False)[0].T
        squeezed = linear(2 * around, self.squeeze, self.squeeze_bias).relu_()
        return linear(squeezed, self.open, self.open_bias).sigmoid()


def _scale_and_shift(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    scale = weights.get(f"{name}.weight", torch.ones_like(mean)) / (variance + NORM_EPSILON).sqrt()
    return scale, weights.get(f"{name}.bias", torch.zeros_like(mean)) - mean * scale


def load_campplus(path: Path) -> CamPlusPlus:
    """Reads the authors' state dict."""
    weights = torch.load(path, map_location="cpu", weights_only=True)
    return CamPlusPlus(weights).eval().requires_grad_(False)
