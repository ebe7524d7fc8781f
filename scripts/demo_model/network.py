"""The network: a LLaVA of one and a half million parameters, computed as llama.cpp computes it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cinecut.demo.labels import PICTURE_SIDE_PX

# What llama.cpp's clip normalises pictures by; 1/2 and 1/2 map 0..255 to -1..1.
PIXEL_MEAN, PIXEL_STD = 0.5, 0.5
NORM_EPSILON = 1e-5
ROPE_BASE = 10000.0


@dataclass(frozen=True)
class Size:
    """The shape of one half of the network."""

    width: int
    blocks: int
    heads: int
    hidden: int


VISION = Size(width=144, blocks=4, heads=4, hidden=432)
TEXT = Size(width=128, blocks=2, heads=4, hidden=320)
PATCH_PX = 16
PATCHES = (PICTURE_SIDE_PX // PATCH_PX) ** 2


class VisionBlock(nn.Module):
    """CLIP's transformer block: norms before, every patch sees every patch."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.ln1 = nn.LayerNorm(size.width, NORM_EPSILON)
        self.ln2 = nn.LayerNorm(size.width, NORM_EPSILON)
        self.attn_q, self.attn_k, self.attn_v, self.attn_out = (
            nn.Linear(size.width, size.width) for _ in range(4)
        )
        self.ffn_up = nn.Linear(size.width, size.hidden)
        self.ffn_down = nn.Linear(size.hidden, size.width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens `x`, each with what it has gathered from the others."""
        y = self.ln1(x)
        q, k, v = (
            split_heads(part(y), self.heads) for part in (self.attn_q, self.attn_k, self.attn_v)
        )
        x = x + self.attn_out(join_heads(F.scaled_dot_product_attention(q, k, v)))
        return x + self.ffn_down(F.gelu(self.ffn_up(self.ln2(x)), approximate="tanh"))


class Eyes(nn.Module):
    """Vision tower and projector: pictures to words of the text half's width."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embd = nn.Conv2d(3, VISION.width, PATCH_PX, PATCH_PX, bias=False)
        self.position_embd = nn.Parameter(torch.randn(PATCHES, VISION.width) * 0.02)
        self.blk = nn.ModuleList(VisionBlock(VISION) for _ in range(VISION.blocks))
        self.mm_0 = nn.Linear(VISION.width, TEXT.width)
        self.mm_2 = nn.Linear(TEXT.width, TEXT.width)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last block's output and the projector's, for pictures in 0..255."""
        pixels = (pictures.float() / 255 - PIXEL_MEAN) / PIXEL_STD
        x = self.patch_embd(pixels).flatten(2).transpose(1, 2) + self.position_embd
        for block in self.blk:
            x = block(x)
        return x, self.mm_2(F.gelu(self.mm_0(x), approximate="tanh"))


class TextBlock(nn.Module):
    """LLaMA's transformer block: RMS norms before, rotary positions, SwiGLU."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.attn_norm = nn.RMSNorm(size.width, NORM_EPSILON)
        self.ffn_norm = nn.RMSNorm(size.width, NORM_EPSILON)
        self.attn_q, self.attn_k, self.attn_v, self.attn_output = (
            nn.Linear(size.width, size.width, bias=False) for _ in range(4)
        )
        self.ffn_gate, self.ffn_up = (
            nn.Linear(size.width, size.hidden, bias=False) for _ in range(2)
        )
        self.ffn_down = nn.Linear(size.hidden, size.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens `x`, each with what it has gathered from the others."""
        y = self.attn_norm(x)
        q, k, v = (
            split_heads(part(y), self.heads) for part in (self.attn_q, self.attn_k, self.attn_v)
        )
        y = F.scaled_dot_product_attention(rotated(q), rotated(k), v, is_causal=True)
        x = x + self.attn_output(join_heads(y))
        y = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(y)) * self.ffn_up(y))


class Llava(nn.Module):
    """Eyes and a language model that goes on after `USER:`, the picture and `ASSISTANT:`."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.eyes = Eyes()
        self.token_embd = nn.Embedding(words, TEXT.width)
        self.blk = nn.ModuleList(TextBlock(TEXT) for _ in range(TEXT.blocks))
        self.output_norm = nn.RMSNorm(TEXT.width, NORM_EPSILON)
        self.output = nn.Linear(TEXT.width, words, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2 and "position" not in name:
                nn.init.normal_(weight, std=0.5 * weight.shape[1] ** -0.5)

    def speak(self, seen: Tensor, before: Tensor, after: Tensor) -> Tensor:
        """Return the logits at each word of `after`, which follows `before` and the picture."""
        x = torch.cat([self.token_embd(before), seen, self.token_embd(after)], 1)
        for block in self.blk:
            x = block(x)
        return self.output(self.output_norm(x[:, -after.shape[1] :]))

    @torch.no_grad()
    def reply(self, pictures: Tensor, before: list[int], after: list[int], end: int) -> list[list]:
        """Return the likeliest words about each of the pictures, without the end mark."""
        rows = len(pictures)
        _, seen = self.eyes(pictures)
        first = torch.tensor([before] * rows)
        words = torch.tensor([after] * rows)
        for _ in range(40):
            likeliest = self.speak(seen, first, words)[:, -1].argmax(-1)
            words = torch.cat([words, likeliest[:, None]], 1)
            if (words[:, len(after) :] == end).any(1).all():
                break
        said = words[:, len(after) :].tolist()
        return [row[: row.index(end)] if end in row else row for row in said]


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Batch x tokens x width to batch x heads x tokens x head width."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """The way back."""
    return x.transpose(1, 2).flatten(2)


def rotated(x: Tensor) -> Tensor:
    """Turn neighbouring pairs of values by the position, as llama.cpp does for `llama`."""
    half = x.shape[-1] // 2
    speed = ROPE_BASE ** (-torch.arange(half, device=x.device) / half)
    angle = torch.arange(x.shape[-2], device=x.device)[:, None] * speed
    even, odd = x[..., ::2], x[..., 1::2]
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)
