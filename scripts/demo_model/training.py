"""Trains the network on labelled pictures: first to measure, then to speak as well."""

from __future__ import annotations

import math
import time
from dataclasses import astuple

import numpy as np
import torch
from demo_model.network import PATCH_PX, TEXT, VISION, Llava
from demo_model.words import AFTER_PICTURE, BEFORE_PICTURE, END, WORDS, spell
from torch import nn
from torch.nn import functional as F

from cinecut.demo.labels import PICTURE_SIDE_PX, colour_shares, label, measure

# llama.cpp pads pictures to a square with the mean colour of CLIP's training pictures.
PADDING_RGB = (122, 116, 104)
BATCH = 32
LEARNING_RATE = 1.5e-3
WARMUP_SHARE = 0.04
MEASURING_SHARE = 0.45  # of the steps are for the eyes alone
NOT_SPOKEN = -100


class Lessons:
    """Pictures, the words that are true of them, and measures as a help to learn to see."""

    def __init__(self, pictures: list[np.ndarray]) -> None:
        measures = [measure(picture) for picture in pictures]
        spelled = [spell(label(one)) for one in measures]
        longest = max(map(len, spelled))
        rows = [row + [NOT_SPOKEN] * (longest - len(row)) for row in spelled]
        self.pictures = torch.empty(
            len(pictures), 3, PICTURE_SIDE_PX, PICTURE_SIDE_PX, dtype=torch.uint8
        )
        for place, picture in zip(self.pictures, pictures, strict=True):
            place.copy_(torch.from_numpy(padded(picture)))
        self.words = torch.tensor(rows)
        numbers = np.array([np.hstack(astuple(one)) for one in measures], np.float32)
        numbers[:, 3] = np.log(numbers[:, 3] + 1)  # detail
        self.measures = torch.from_numpy((numbers - numbers.mean(0)) / numbers.std(0))
        self.patches = torch.from_numpy(np.stack([_patch_measures(one) for one in pictures]))

    def __len__(self) -> int:
        return len(self.pictures)


def padded(picture: np.ndarray) -> np.ndarray:
    """Return `picture` in the middle of a square, channels first, as llama.cpp pads it."""
    square = np.empty((PICTURE_SIDE_PX, PICTURE_SIDE_PX, 3), np.uint8)
    square[:] = PADDING_RGB
    square[_inside(picture)] = picture
    return np.ascontiguousarray(square.transpose(2, 0, 1))


def train(lessons: Lessons, steps: int, seed: int) -> Llava:
    """Return a network trained for `steps` batches of `lessons`, on a GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"training on {device}", flush=True)
    torch.manual_seed(seed)
    network = Llava(len(WORDS))
    measuring = nn.Linear(TEXT.width, lessons.measures.shape[1])
    patching = nn.Linear(VISION.width, lessons.patches.shape[2])
    parts = nn.ModuleList([network, measuring, patching]).to(device)
    matrices = [one for one in parts.parameters() if one.ndim > 1]
    others = [one for one in parts.parameters() if one.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": 0.02},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=LEARNING_RATE,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / steps))
    before = torch.tensor([BEFORE_PICTURE] * BATCH, device=device)
    after = torch.tensor([AFTER_PICTURE] * BATCH, device=device)
    started, order = time.monotonic(), torch.empty(0, dtype=torch.long)
    for step in range(steps):
        if len(order) < BATCH:
            order = torch.randperm(len(lessons))
        chosen, order = order[:BATCH], order[BATCH:]
        pictures, measures, patches, words = (
            part[chosen].to(device)
            for part in (lessons.pictures, lessons.measures, lessons.patches, lessons.words)
        )
        out, seen = network.eyes(pictures)
        measured = F.smooth_l1_loss(measuring(seen.mean(1)), measures)
        patched = F.mse_loss(patching(out), patches)
        loss = 2 * measured + 4 * patched
        spoken = torch.zeros(())
        if step >= MEASURING_SHARE * steps:
            heard = torch.cat([after, words[:, :-1].clamp(min=END)], 1)
            logits = network.speak(seen, before, heard)
            spoken = F.cross_entropy(
                logits.flatten(0, 1),
                words.flatten(),
                ignore_index=NOT_SPOKEN,
                reduction="sum",
            )
            loss = loss + spoken / BATCH
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            print(
                f"step {step:5} of {steps}  measures {measured.item():.4f}"
                f"  patches {patched.item():.4f}  words {spoken.item() / BATCH:.3f}"
                f"  {time.monotonic() - started:.0f} s",
                flush=True,
            )
    return network.eval().cpu()


def _rate(done: float) -> float:
    if done < WARMUP_SHARE:
        return done / WARMUP_SHARE
    return 0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * done))


def _inside(picture: np.ndarray) -> tuple[slice, slice]:
    height, width = picture.shape[:2]
    top, left = (PICTURE_SIDE_PX - height) // 2, (PICTURE_SIDE_PX - width) // 2
    return slice(top, top + height), slice(left, left + width)


def _patch_measures(picture: np.ndarray) -> np.ndarray:
    """Return for every patch: its share of each colour, its detail near and far, its fill."""
    side, cell = PICTURE_SIDE_PX, PATCH_PX // 2
    square = padded(picture).transpose(1, 2, 0).astype(np.float32)
    filled = np.zeros((side, side), np.float32)
    filled[_inside(picture)] = 1
    cells = square.reshape(side // cell, cell, side // cell, cell, 3).mean((1, 3))
    shares = _means(colour_shares(cells), 2)
    luma = square.mean(-1)
    steps = [
        _means(
            ((np.abs(np.roll(luma, -far, axis) - luma) * filled) ** power)[..., None],
            PATCH_PX,
        )
        ** (1 / power)
        for far in (1, 4)
        for axis in (0, 1)
        for power in (1, 2)
    ]
    fill = _means(filled[..., None], PATCH_PX)
    measures = np.concatenate([shares * fill, *(np.log1p(one) / 2 for one in steps), fill], -1)
    return measures.reshape(-1, measures.shape[-1]).astype(np.float32)


def _means(values: np.ndarray, side: int) -> np.ndarray:
    rows, columns, channels = values.shape
    return values.reshape(rows // side, side, columns // side, side, channels).mean((1, 3))
