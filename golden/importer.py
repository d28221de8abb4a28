"""PyTorch modules as networks of the accelerator: their convolutions, residuals and folds.

A module is traced with `torch.export` in evaluation mode. Convolutions whose weights come from the
same parameters are executions of one tensor, so a folded block is found by what it shares, however
the module is written: weights may be an expression of parameters and buffers, as scores, masks and
signs are. Between convolutions a map may be normalised, added to another, rectified and pooled, as
far as the core does the same in one pass (docs/architecture.md).
"""

import io
import logging
import math
from contextlib import redirect_stderr
from dataclasses import dataclass, replace

import torch

from hfn_accel.errors import HfnError
from hfn_accel.images import PIXEL_BYTES as MAX_CHANNELS
from hfn_accel.network import Conv, Graph

MAX_SIZE = 1024  # pixels of an image's side, as of an `Architecture`

_CONVOLUTIONS = {"aten.conv2d.default", "aten.conv2d.padding"}
_SAME = {
    "aten.dropout.default", "aten.detach.default", "aten.detach_.default", "aten.clone.default",
    "aten.contiguous.default", "aten.alias.default",
}  # fmt: skip
_RECTIFIERS = {"aten.relu.default", "aten.relu_.default", "aten.hardtanh.default",
               "aten.hardtanh_.default", "aten.relu6.default", "aten.clamp.default"}  # fmt: skip
_ADDITIONS = {"aten.add.Tensor", "aten.add_.Tensor"}
_AVERAGES = {"aten.mean.dim", "aten.adaptive_avg_pool2d.default", "aten.avg_pool2d.default"}
_FLATTENERS = {"aten.flatten.using_ints", "aten.view.default", "aten.reshape.default",
               "aten.squeeze.dims"}  # fmt: skip


@dataclass
class _Layer:
    """A convolution while the graph is read: `conv` but for its final numbers."""

    conv: Conv
    weights: frozenset[str]


@dataclass(frozen=True)
class _Value:
    """A map: what layer's (-1: the image), and whether it is averaged over all pixels."""

    layer: int
    averaged: bool = False


def graph_of(module: torch.nn.Module, channels: int = 3, size: int = 32,
             name: str | None = None) -> Graph:  # fmt: skip
    """The network that `module` computes of images (1, channels, size, size).

    Multiply-accumulates are asserted to be those of the traced convolutions. Raises HfnError,
    naming layer and reason, for what the accelerator does not compute.
    """
    name = name or type(module).__name__
    for what, value, most in (("channels", channels, MAX_CHANNELS), ("size", size, MAX_SIZE)):
        if not 1 <= value <= most:
            raise HfnError(f"{what} of the images must be from 1 to {most}, not {value}")
    image = torch.zeros(1, channels, size, size)
    logging.disable()  # what the tracer has to say is in its error
    try:
        with torch.no_grad(), redirect_stderr(io.StringIO()):
            program = torch.export.export(module.eval(), (image,), strict=False)
    except (Exception, SystemExit) as error:  # whatever a user's module raises while it is traced
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise HfnError(f"{name} cannot be traced: {why}") from None
    finally:
        logging.disable(logging.NOTSET)
    reader = _Reader(program)
    reader.read()
    return reader.graph(name, channels, size)


class _Reader:
    """Reads the nodes of an exported program in order."""

    def __init__(self, program):
        self.program, self.layers, self.values = program, [], {}
        self.sources, self.macs, self.result = {}, 0, None
        signature = program.graph_signature
        names = signature.inputs_to_parameters | signature.inputs_to_buffers
        known = {}  # storage -> the first name of what lies there
        for node, target in names.items():
            tensor = program.state_dict.get(target, program.constants.get(target))
            address = tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.shape
            self.sources[node] = frozenset({known.setdefault(address, target)})

    def read(self):
        for node in self.program.graph.nodes:
            if node.op == "placeholder" and node.name not in self.sources:
                self.values[node.name] = _Value(-1)
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                ((found, *others),) = node.args
                if others or not hasattr(found, "name"):
                    raise HfnError("the module must return one tensor, its logits")
                self.result = self.values.get(found.name)

    def _call(self, node):
        maps = [a for a in node.all_input_nodes if a.name in self.values]
        if not maps:  # an expression of parameters and buffers
            parts = (self.sources.get(a.name, frozenset()) for a in node.all_input_nodes)
            self.sources[node.name] = frozenset().union(*parts)
            return
        target, value = str(node.target), self.values[maps[0].name]
        if target in _CONVOLUTIONS:
            self._convolution(node)
        elif target == "aten.linear.default":
            self._linear(node, value)
        elif target == "aten.batch_norm.default":
            self._normalise(node, value)
        elif target in _RECTIFIERS:
            self._rectify(node, value)
        elif target in _ADDITIONS:
            self._add(node, maps)
        elif target == "aten.max_pool2d.default":
            self._max_pool(node, value)
        elif target in _AVERAGES:
            self._average(node, value)
        elif target in _SAME or target in _FLATTENERS and value.averaged:
            self.values[node.name] = value
        elif target in _FLATTENERS and self._is_result(value):
            self.values[node.name] = value
        else:
            self._refuse(node, f"{target.removeprefix('aten.').partition('.')[0]} is no layer of "
                         "the accelerator")  # fmt: skip

    def _is_result(self, value: _Value) -> bool:
        return value.layer >= 0 and self.layers[value.layer].conv.classifier

    def _convolution(self, node):
        arguments = zip(("bias", "stride", "padding", "dilation", "groups"), node.args[2:],
                        strict=False)  # fmt: skip
        given = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
        given |= {name: list(a) if isinstance(a, tuple) else a for name, a in arguments}
        x, weight = node.args[:2]
        cout, cin, *kernel = weight.meta["val"].shape
        stride, padding = given["stride"], given["padding"]
        if given["groups"] != 1:
            self._refuse(node, f"{given['groups']} groups: every lane reads every channel")
        if set(given["dilation"]) != {1}:
            self._refuse(node, "it is dilated: taps must be neighbours")
        half = "same" if padding == "same" else [kernel[0] // 2] * 2
        if kernel[0] != kernel[1] or kernel[0] % 2 == 0 or padding != half:
            self._refuse(node, f"kernel {kernel}, padding {padding}: kernels must be square and "
                         "odd, padding half of them")  # fmt: skip
        if stride not in ([1, 1], [2, 2]):
            self._refuse(node, f"stride {stride}: must be 1 or 2 both ways")
        height, width = x.meta["val"].shape[2:]
        if height != width:
            self._refuse(node, f"its input is {height}x{width}: maps must be square")
        self.macs += math.prod(weight.meta["val"].shape) * math.prod(node.meta["val"].shape[2:])
        self._append(node, self.values[x.name], weight, cin, cout, kernel[0], stride[0], height)

    def _linear(self, node, value: _Value):
        if not value.averaged:
            self._refuse(node, "a fully connected layer must follow the global average pooling")
        weight = node.args[1]
        cout, cin = weight.meta["val"].shape
        self.macs += cout * cin
        self._append(node, value, weight, cin, cout, 1, 1, 1)

    def _append(self, node, source: _Value, weight, cin, cout, kernel, stride, size):
        if self._is_result(source):
            self._refuse(node, "it follows the classifier")
        if source.averaged:
            if (kernel, stride) != (1, 1):
                self._refuse(node, "the classifier must be a 1x1 convolution")
            size = self.layers[source.layer].conv.map_size
        conv = Conv(name=_path(node), tensor=-1, norm=len(self.layers), cin=cin, cout=cout,
                    kernel=kernel, stride=stride, in_size=size, source=source.layer, relu=False,
                    classifier=source.averaged)  # fmt: skip
        self.layers.append(_Layer(conv, self.sources[weight.name]))
        self.values[node.name] = _Value(conv.norm)

    def _last(self, node, value: _Value, what: str) -> _Layer:
        """The layer whose requantisation can still take in `what`."""
        if value.layer < 0 or value.averaged:
            self._refuse(node, f"{what} without a convolution before it")
        layer = self.layers[value.layer]
        if layer.conv.relu or layer.conv.max_pool or layer.conv.classifier:
            self._refuse(node, f"{what} must directly follow a convolution's own")
        return layer

    def _normalise(self, node, value: _Value):
        if self._last(node, value, "a normalisation").conv.residual is not None:
            self._refuse(node, "a normalisation behind an addition")
        self.values[node.name] = value

    def _rectify(self, node, value: _Value):
        if value.layer >= 0 and self.layers[value.layer].conv.relu:
            self.values[node.name] = value  # of what is rectified already
            return
        low = {"min": None, **node.kwargs}["min"] if len(node.args) < 2 else node.args[1]
        if str(node.target).startswith(("aten.clamp", "aten.hardtanh")) and low != 0:
            self._refuse(node, f"a rectifier must cut at 0, not at {low}")
        layer = self._last(node, value, "a rectifier")
        layer.conv = replace(layer.conv, relu=True)
        self.values[node.name] = value

    def _add(self, node, maps):
        if len(maps) != 2 or node.kwargs:
            self._refuse(node, "only two maps can be added, as they are")
        if len({m.meta["val"].shape for m in maps}) > 1:
            self._refuse(node, "added maps must have the same shape")
        values = [self.values[m.name] for m in maps]
        open_ones = [v for v in values if v.layer >= 0 and self._open(v)]
        if not open_ones:
            self._refuse(node, "one of two added maps must be a convolution's that nothing follows")
        main = max(open_ones, key=lambda v: (self._depth(v.layer), v.layer))
        other = values[0] if values[1] is main else values[1]
        layer = self.layers[main.layer]
        layer.conv = replace(layer.conv, residual=other.layer)
        self.values[node.name] = main

    def _open(self, value: _Value) -> bool:
        conv = self.layers[value.layer].conv
        return not (conv.relu or conv.max_pool or conv.classifier or conv.residual is not None)

    def _depth(self, layer: int) -> int:
        return 0 if layer < 0 else 1 + self._depth(self.layers[layer].conv.source)

    def _max_pool(self, node, value: _Value):
        shape = [list(a) if isinstance(a, (list, tuple)) else a for a in node.args[1:]]
        if shape[:3] != [[3, 3], [2, 2], [1, 1]] or len(shape) > 3:
            self._refuse(node, "max pooling must be 3x3 with stride 2 and padding 1")
        if value.layer < 0 or not self.layers[value.layer].conv.relu:
            self._refuse(node, "max pooling must follow a rectified convolution")
        layer = self.layers[value.layer]
        layer.conv = replace(layer.conv, max_pool=True)
        self.values[node.name] = value

    def _average(self, node, value: _Value):
        before, after = (n.meta["val"].shape for n in (node.args[0], node))
        kept = after[:2] == before[:2] and math.prod(after[2:]) == 1
        if not kept or value.layer < 0 or value.averaged:
            self._refuse(node, "average pooling must be global")
        self.values[node.name] = _Value(value.layer, averaged=True)

    def _refuse(self, node, why: str):
        raise HfnError(f"{_path(node)} ({node.name}): {why}")

    def graph(self, name: str, channels: int, size: int) -> Graph:
        if self.result is None or not self._is_result(self.result):
            raise HfnError(f"{name}: its output must be that of a 1x1 convolution or fully "
                           "connected layer behind a global average pooling")  # fmt: skip
        order = self._order()
        number = {old: new for new, old in enumerate(order)} | {-1: -1, None: None}
        tensors, executions, layers = {}, {}, []
        for old in order:
            executions.setdefault(self.layers[old].weights, []).append(old)
        for old in order:
            conv, weights = self.layers[old].conv, self.layers[old].weights
            turn = executions[weights].index(old)
            folded = len(executions[weights]) > 1
            layers.append(replace(
                conv, norm=number[old], source=number[conv.source], folded=folded,
                residual=number[conv.residual], tensor=tensors.setdefault(weights, len(tensors)),
                name=f"{conv.name}[{turn + 1}]" if folded else conv.name,
            ))  # fmt: skip
        graph = Graph(name=name, layers=tuple(layers), classes=layers[-1].cout,
                      in_channels=channels, image_size=size)  # fmt: skip
        assert sum(conv.macs for conv in layers) == self.macs
        return graph

    def _order(self) -> list[int]:
        """As executed; a shortcut that stands behind the convolution that adds it moves to behind
        the first one that reads the same map."""
        order = list(range(len(self.layers)))
        for layer in self.layers:
            other = layer.conv.residual
            if other is not None and other > layer.conv.norm:
                source = self.layers[other].conv.source
                first = next(i for i in order if self.layers[i].conv.source == source)
                order.remove(other)
                order.insert(order.index(first) + 1, other)
        return order


def _path(node) -> str:
    """The module that a node comes from, as its path in the network."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = stack[-1][0].partition("@")[0] if stack else ""  # of a module that is called again
    return path or node.name
