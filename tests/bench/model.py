# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model to load: a small convolutional network, as FaceFusion's models are, with random weights."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

#: Channels from layer to layer; each layer halves height and width.
_CHANNELS = (3, 64, 128, 256, 512, 512)
_PIXELS = 128
#: Versions of the format that any current onnxruntime reads.
_OPSET, _IR = 17, 8


def build() -> bytes:
    """Return an ONNX model of some 16 MB: a picture goes in, an embedding of 512 numbers comes out."""
    random = np.random.default_rng(1)
    nodes, weights, last = [], [], "picture"
    for number, (come, go) in enumerate(zip(_CHANNELS, _CHANNELS[1:])):
        weight = random.standard_normal((go, come, 3, 3), np.float32) * np.float32(np.sqrt(2 / (9 * come)))
        weights.append(numpy_helper.from_array(weight, f"weight-{number}"))
        inputs, shape = [last, f"weight-{number}"], [3, 3]
        nodes.append(
            helper.make_node("Conv", inputs, [f"conv-{number}"], kernel_shape=shape, strides=[2, 2], pads=[1] * 4)
        )
        last = f"relu-{number}"
        nodes.append(helper.make_node("Relu", [f"conv-{number}"], [last]))
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["embedding"]))
    pictures = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, _CHANNELS[0], _PIXELS, _PIXELS])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, _CHANNELS[-1]])
    graph = helper.make_graph(nodes, "bench", [pictures], [embedding], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    checker.check_model(model)
    return bytes(model.SerializeToString())
