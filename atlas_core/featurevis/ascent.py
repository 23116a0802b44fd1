"""Climbing: move what pictures are made of, step by step, to where a network answers more strongly.

The same climb serves icons, dreams and compositions; what differs is what a picture is made of, what is seen of it and
what counts as a gain. On a GPU one step is captured as a CUDA graph and replayed: it is some hundred small kernels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Literal

import torch

from atlas_core.featurevis.transforms import move

BETAS = (0.9, 0.999)
EPSILON = 1e-8
STILL_STEPS = 8
STILL_CHANGE = 0.5 / 255
WARM_UP = 3
KEPT_SIZES = 4

Precision = Literal["float32", "tf32", "bf16"]
"""Of what a GPU computes inside the network; everything else is float32, and so is all on a CPU."""

Pixels = Callable[[torch.Tensor], torch.Tensor]
"""From parameters, shape (m, ...), to pictures in 0..1, shape (m, channels, height, width)."""
See = Callable[[torch.Tensor], torch.Tensor]
"""From pictures to what the network makes of them."""
Gain = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From what is seen and the goals, shape (m, ...), to the sum over pictures of what each gained; never their mean."""
OnStep = Callable[[int], None]


class Ascent:
    """Adam, upwards, with a learning rate that falls linearly to 0.

    A picture depends on its companions only by the order in which floats are summed: each has its own moves and gains
    its own share of the sum. A picture that is still, no value of which changed by half a level of 255 within 8 steps,
    stays so; when all are the climb ends.

    Args:
        pixels: What parameters look like.
        see: The network, cut where the gain looks.
        gain: What to raise.
        mean: The network's mean colour, shown where a picture is moved away, shape (channels,).
        steps: At most so many, 0 or more.
        learning_rate: At the first step.
        focus: Called with the share of the steps done before each of them, and with 1 at the end; may change what
            parameters look like.
        precision: On a GPU.
    """

    def __init__(
        self,
        pixels: Pixels,
        see: See,
        gain: Gain,
        mean: torch.Tensor,
        steps: int,
        learning_rate: float,
        *,
        focus: Callable[[float], None] = lambda share: None,
        precision: Precision = "bf16",
    ) -> None:
        self.focus = focus
        self.pixels, self.see, self.gain, self.mean = pixels, see, gain, mean
        self.steps, self.learning_rate, self.precision = steps, learning_rate, precision
        self._climbs: OrderedDict[tuple[torch.Size, torch.Size], _Climb] = OrderedDict()

    def __call__(
        self,
        start: torch.Tensor,
        goals: torch.Tensor,
        matrices: torch.Tensor | None = None,
        on_step: OnStep = lambda step: None,
    ) -> torch.Tensor:
        """Climb.

        Args:
            start: Parameters, shape (m, ...).
            goals: What the gain is told of each picture, shape (m, ...).
            matrices: A move for each step and picture, from `transforms`, shape (steps, m, 2, 3); None moves nothing.
            on_step: Called with the number of steps done; it cancels by raising.

        Returns:
            The parameters reached, shape (m, ...).
        """
        self.focus(0.0 if self.steps else 1.0)
        if self.steps == 0:
            return start.clone()
        climb = self._climb(start, goals, moved=matrices is not None)
        climb.begin(start, goals)
        shown = self._shown(climb.parameter)
        for step in range(self.steps):
            climb.aim(step, self.learning_rate * (1 - step / self.steps), None if matrices is None else matrices[step])
            climb.take()
            on_step(step + 1)
            self.focus((step + 1) / self.steps)
            if (step + 1) % STILL_STEPS == 0 and step + 1 < self.steps:
                before, shown = shown, self._shown(climb.parameter)
                climb.moving *= (shown - before).abs().amax(dim=(1, 2, 3)) > STILL_CHANGE
                if not bool(climb.moving.any()):
                    break
        self.focus(1.0)
        return climb.parameter.detach().clone()

    @torch.no_grad()
    def _shown(self, parameter: torch.Tensor) -> torch.Tensor:
        return self.pixels(parameter)

    def _climb(self, start: torch.Tensor, goals: torch.Tensor, *, moved: bool) -> _Climb:
        """The buffers of these shapes: made anew on a CPU, kept on a GPU, where capturing a step takes a moment."""
        if start.device.type != "cuda":
            return _Climb(self, start, goals, moved=moved)
        key = start.shape, goals.shape
        if key not in self._climbs:
            if len(self._climbs) >= KEPT_SIZES:
                self._climbs.popitem(last=False)
            climb = self._climbs[key] = _Climb(self, start, goals, moved=moved)
            climb.capture()
        self._climbs.move_to_end(key)
        return self._climbs[key]

    def fitting(self, start: torch.Tensor, goals: torch.Tensor, most: int) -> int:
        """How many pictures at once a GPU's free memory does for: half of it, by what a step of a few of them takes.

        Half, because each size of batch that is kept captured holds memory of its own.

        Args:
            start: Parameters of a few pictures, shape (m, ...).
            goals: Theirs, shape (m, ...).
            most: Pictures at most.
        """
        device = start.device
        for _ in range(2):  # at the first time libraries are loaded and caches filled
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
            _Climb(self, start, goals, moved=True).take()
            torch.cuda.synchronize(device)
            each = max(1, (torch.cuda.max_memory_allocated(device) - before) // len(start))
        torch.cuda.empty_cache()
        return int(max(1, min(most, torch.cuda.mem_get_info(device)[0] // 2 // each)))


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context in which a GPU's network computes in this precision; nothing on a CPU."""
    contexts = ExitStack()
    if device.type == "cuda":  # the fastest kernels are searched for once a shape, in the rehearsals before a capture
        contexts.enter_context(torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=precision == "tf32"))
    if device.type == "cuda" and precision == "bf16":
        # weights are cast at every step, for a graph's tensors must outlive the cache
        contexts.enter_context(torch.autocast("cuda", torch.bfloat16, cache_enabled=False))
    return contexts


class _Climb:
    """One climb's state, at fixed places in memory, and its step."""

    def __init__(self, ascent: Ascent, start: torch.Tensor, goals: torch.Tensor, *, moved: bool) -> None:
        self.ascent = ascent
        self.parameter = start.detach().clone().requires_grad_()
        self.goals = goals.clone()
        self.first = torch.zeros_like(start)
        self.second = torch.zeros_like(start)
        self.moving = start.new_ones(len(start))
        self.rate = start.new_zeros(())
        self.correction = start.new_ones(())
        self.matrix = start.new_zeros((len(start), 2, 3)) if moved else None
        self._graph: torch.cuda.CUDAGraph | None = None

    @torch.no_grad()
    def begin(self, start: torch.Tensor, goals: torch.Tensor) -> None:
        """Go back to a beginning."""
        self.parameter.copy_(start)
        self.goals.copy_(goals)
        self.first.zero_()
        self.second.zero_()
        self.moving.fill_(1)

    def aim(self, step: int, learning_rate: float, matrix: torch.Tensor | None) -> None:
        """Say how far the next step goes and how the pictures are moved."""
        self.rate.fill_(learning_rate / (1 - BETAS[0] ** (step + 1)))
        self.correction.fill_(1 / (1 - BETAS[1] ** (step + 1)))
        if self.matrix is not None and matrix is not None:
            self.matrix.copy_(matrix)

    def take(self) -> None:
        """Take a step."""
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()

    def capture(self) -> None:
        """Record a step; what the rehearsals change is undone by `begin`."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._step()
        self._graph = graph

    def _step(self) -> None:
        ascent = self.ascent
        with torch.enable_grad():
            pictures = ascent.pixels(self.parameter)
            if self.matrix is not None:
                pictures = move(pictures, self.matrix, ascent.mean)
            with computing_in(ascent.precision, ascent.mean.device):
                seen = ascent.see(pictures.contiguous(memory_format=torch.channels_last))
            gain = ascent.gain(seen.float(), self.goals)
        (gradient,) = torch.autograd.grad(gain, self.parameter)
        with torch.no_grad():
            self._adam(gradient)

    def _adam(self, gradient: torch.Tensor) -> None:
        """Adam; torch's own takes seconds to import its compiler and would be fresh for every batch anyway."""
        self.first.lerp_(gradient, 1 - BETAS[0])
        self.second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        root = (self.second * self.correction).sqrt_().add_(EPSILON)
        pace = (self.rate * self.moving).reshape(-1, *(1,) * (gradient.dim() - 1))
        self.parameter.add_(self.first.div(root).mul_(pace))
