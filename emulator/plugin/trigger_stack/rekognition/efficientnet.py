"""EfficientNet-Lite0 as an ONNX graph, from the tensors of its checkpoint.

The architecture is the published one (Tan and Le, "EfficientNet", and the Lite variant of the
TensorFlow TPU repository): no squeeze-and-excitation, ReLU6, "SAME" padding. Batch normalisation
is folded into the convolution before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trigger_stack.rekognition.onnx_writer import Graph

INPUT_SIZE = 224
CLASSES = 1000
_BATCH_NORM_EPSILON = 1e-3

Tensors = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Stage:
    expansion: int
    repeats: int
    stride: int
    kernel: int


_STAGES = (
    _Stage(1, 1, 1, 3),
    _Stage(6, 2, 2, 3),
    _Stage(6, 2, 2, 5),
    _Stage(6, 3, 2, 3),
    _Stage(6, 3, 1, 5),
    _Stage(6, 4, 2, 5),
    _Stage(6, 1, 1, 3),
)


class _Builder:
    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self.graph = Graph("efficientnet-lite0")
        self.size = INPUT_SIZE
        self.low = self.graph.constant("relu6_low", np.array(0.0))
        self.high = self.graph.constant("relu6_high", np.array(6.0))

    def convolution(
        self, data: str, name: str, norm: str, *, stride: int = 1, activation: bool = True
    ) -> str:
        weight = self.tensors[f"{name}.weight"].astype(np.float64)
        variance = self.tensors[f"{norm}.running_var"].astype(np.float64)
        mean = self.tensors[f"{norm}.running_mean"].astype(np.float64)
        scale = self.tensors[f"{norm}.weight"] / np.sqrt(variance + _BATCH_NORM_EPSILON)
        kernel = weight.shape[-1]
        out_size = -(-self.size // stride)
        padding = max((out_size - 1) * stride + kernel - self.size, 0)
        before, after = padding // 2, padding - padding // 2
        self.size = out_size
        result = self.graph.node(
            "Conv",
            [
                data,
                self.graph.constant(f"{name}.weight", weight * scale[:, None, None, None]),
                self.graph.constant(f"{name}.bias", self.tensors[f"{norm}.bias"] - mean * scale),
            ],
            group=weight.shape[0] if "depthwise" in name else 1,
            kernel_shape=[kernel, kernel],
            pads=[before, before, after, after],
            strides=[stride, stride],
        )
        return self.graph.node("Clip", [result, self.low, self.high]) if activation else result

    def block(self, data: str, index: int, stage: _Stage, stride: int) -> str:
        name = f"_blocks.{index}"
        result = data
        if stage.expansion != 1:
            result = self.convolution(result, f"{name}._expand_conv", f"{name}._bn0")
        result = self.convolution(result, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride)
        return self.convolution(result, f"{name}._project_conv", f"{name}._bn2", activation=False)

    def build(self) -> bytes:
        data = self.convolution("image", "_conv_stem", "_bn0", stride=2)
        index = 0
        for stage in _STAGES:
            for repeat in range(stage.repeats):
                result = self.block(data, index, stage, stage.stride if repeat == 0 else 1)
                data = self.graph.node("Add", [data, result]) if repeat else result
                index += 1
        data = self.convolution(data, "_conv_head", "_bn1")
        data = self.graph.node("GlobalAveragePool", [data])
        data = self.graph.node("Flatten", [data], axis=1)
        weight = self.graph.constant("_fc.weight", self.tensors["_fc.weight"])
        bias = self.graph.constant("_fc.bias", self.tensors["_fc.bias"])
        data = self.graph.node("Gemm", [data, weight, bias], transB=1)
        return self.graph.serialize(
            {"image": ["batch", 3, INPUT_SIZE, INPUT_SIZE]}, {data: ["batch", CLASSES]}
        )


def to_onnx(tensors: Tensors) -> bytes:
    """Return the ONNX file of the classifier.

    Its input is ``image`` (batch, 3, 224, 224) float32, its output (batch, 1000) logits.

    Raises:
        KeyError: a tensor of the architecture is missing.
    """
    return _Builder(tensors).build()
