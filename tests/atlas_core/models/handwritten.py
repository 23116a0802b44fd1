"""A vision transformer as many write theirs: joined queries, keys and values, register tokens, a mean to the head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.atlas_core.models.families import CLASSES

WIDTH, HEADS, GRID = 16, 2, 8


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        n, t, c = tokens.shape
        queries, keys, values = self.qkv(tokens).reshape(n, t, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        given: Tensor = self.proj(mixed.transpose(1, 2).reshape(n, t, c))
        return given


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(WIDTH), Attention(), nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        given: Tensor = tokens + self.mlp(self.norm2(tokens))
        return given


class Transformer(nn.Module):
    """Takes (n, 3, 32, 32); `registers` tokens stand between the class token and the grid's.

    Args:
        registers: How many.
        mean: The head reads the grid's mean; else the class token.
    """

    def __init__(self, registers: int, *, mean: bool) -> None:
        super().__init__()
        self.mean, self.leading = mean, 1 + registers
        self.patch = nn.Conv2d(3, WIDTH, 4, 4)
        self.cls = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.registers = nn.Parameter(torch.zeros(1, registers, WIDTH))
        self.places = nn.Parameter(torch.zeros(1, 1 + GRID**2, WIDTH))
        self.blocks = nn.Sequential(Block(), Block())
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.patch(pixels).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(tokens.shape[0], -1, -1), tokens], 1) + self.places
        registers = self.registers.expand(tokens.shape[0], -1, -1)
        tokens = self.norm(self.blocks(torch.cat([tokens[:, :1], registers, tokens[:, 1:]], 1)))
        logits: Tensor = self.head(tokens[:, self.leading :].mean(1) if self.mean else tokens[:, 0])
        return logits
