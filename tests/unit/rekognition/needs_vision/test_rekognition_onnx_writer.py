"""ONNX Runtime reads the writer's models and computes as NumPy does."""

import numpy as np
import onnxruntime

from trigger_stack.rekognition.efficientnet import CLASSES, INPUT_SIZE, to_onnx
from trigger_stack.rekognition.onnx_writer import Graph

RANDOM = np.random.default_rng(7)


def test_a_small_graph_computes() -> None:
    weight, bias = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=4)
    graph = Graph("small")
    out = graph.node(
        "Gemm",
        ["x", graph.constant("w", weight), graph.constant("b", bias)],
        transB=1,
        alpha=2.0,
    )
    data = graph.serialize({"x": ["batch", 3]}, {out: ["batch", 4]})
    x = RANDOM.normal(size=(5, 3)).astype(np.float32)
    result = onnxruntime.InferenceSession(data).run(None, {"x": x})[0]
    np.testing.assert_allclose(result, 2 * x @ weight.T + bias, rtol=1e-4, atol=1e-5)


def test_the_same_graph_is_the_same_bytes() -> None:
    def write() -> bytes:
        graph = Graph("g")
        out = graph.node("Clip", ["x", graph.constant("low", np.array(0.0))])
        return graph.serialize({"x": [1]}, {out: [1]})

    assert write() == write()


def checkpoint() -> dict[str, np.ndarray]:
    """Tensors of EfficientNet-Lite0's shapes with plain random values."""
    tensors: dict[str, np.ndarray] = {}

    def convolution(name: str, norm: str, shape: tuple[int, ...]) -> None:
        tensors[f"{name}.weight"] = RANDOM.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        tensors[f"{norm}.weight"] = RANDOM.uniform(0.5, 1.5, shape[0])
        tensors[f"{norm}.bias"] = RANDOM.normal(size=shape[0])
        tensors[f"{norm}.running_mean"] = RANDOM.normal(size=shape[0])
        tensors[f"{norm}.running_var"] = RANDOM.uniform(0.5, 1.5, shape[0])

    convolution("_conv_stem", "_bn0", (32, 3, 3, 3))
    channels, index = 32, 0
    stages = [(1, 16, 1, 3), (6, 24, 2, 3), (6, 40, 2, 5), (6, 80, 3, 3), (6, 112, 3, 5)]
    for expansion, out, repeats, kernel in [*stages, (6, 192, 4, 5), (6, 320, 1, 3)]:
        for _ in range(repeats):
            name, wide = f"_blocks.{index}", channels * expansion
            if expansion != 1:
                convolution(f"{name}._expand_conv", f"{name}._bn0", (wide, channels, 1, 1))
            convolution(f"{name}._depthwise_conv", f"{name}._bn1", (wide, 1, kernel, kernel))
            convolution(f"{name}._project_conv", f"{name}._bn2", (out, wide, 1, 1))
            channels, index = out, index + 1
    convolution("_conv_head", "_bn1", (1280, 320, 1, 1))
    tensors["_fc.weight"] = RANDOM.normal(size=(CLASSES, 1280))
    tensors["_fc.bias"] = RANDOM.normal(size=CLASSES)
    return tensors


def test_the_classifier_s_graph_is_whole() -> None:
    session = onnxruntime.InferenceSession(to_onnx(checkpoint()))
    image = RANDOM.normal(size=(1, 3, INPUT_SIZE, INPUT_SIZE)).astype(np.float32)
    logits = session.run(None, {"image": image})[0]
    assert logits.shape == (1, CLASSES)
    assert np.isfinite(logits).all()
