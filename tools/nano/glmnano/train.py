# SPDX-License-Identifier: MIT
"""The training loop of every stage, and checkpoints.

One process a core, each with one thread: on a machine that others use too, threads that wait for one another at every
matrix product lose most of their time. The processes share the parameters in memory, take the batches of a step one by one
from a common counter, add up their gradients at its end, and each updates its part of the parameters.

Constant learning rate after a short warm-up; a stage with `cooldown` brings it linearly to zero. A run may be cut off at any
moment and goes on from its last checkpoint.
"""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.multiprocessing as mp

from . import dataset, tokens, words
from .config import Config
from .losses import KINDS
from .model import Block, Nano
from .optim import Optimiser, cost

MICRO_TOKENS = 2048
SAVE_SECONDS = 240


@dataclass(frozen=True)
class Stage:
    """A piece of the recipe. `tokens` counts rows fed, padding included; `lengths` names the mixture (see dataset)."""

    name: str
    kind: str  # a key of losses.KINDS
    lengths: str
    tokens: int
    lr_matrix: float
    lr_other: float
    n_micro: int = 4  # batches of MICRO_TOKENS a step
    cooldown: bool = False
    balance: float = 0.005  # step of the router's correction bias


@dataclass
class Progress:
    """Where a run stands."""

    done: list  # names of finished stages
    stage: str = ""
    step: int = 0
    seen: int = 0
    shard: int = 0
    position: int = 0
    hours: float = 0.0


def load_run(folder):
    """(model, tokenizer, progress) of a run's folder; a new model where there is no checkpoint."""
    folder = Path(folder)
    tokenizer = tokens.load(folder / "tokenizer.json")
    model = Nano(Config(vocab_size=tokenizer.get_vocab_size()))
    progress = Progress([])
    path = folder / "state.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        progress = Progress(**state["progress"])
    return model, tokenizer, progress


def _write(path, data):
    """Replace `path` when the new content is whole."""
    torch.save(data, f"{path}.tmp")
    os.replace(f"{path}.tmp", path)


def run_stages(folder, stages, seed, n_workers):
    """Run the stages that are not done."""
    torch.manual_seed(seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave in order: the workers end with their parent
    for stage in stages:
        model, _, progress = load_run(folder)
        if stage.name in progress.done:
            continue
        if progress.stage != stage.name:
            progress = Progress(progress.done, stage.name, hours=progress.hours)
        model.share_memory()
        _, trains = KINDS[stage.kind]
        names = [n for n, p in model.named_parameters() if trains(n)]
        parameters = dict(model.named_parameters())
        grads = [{n: torch.zeros_like(parameters[n]).share_memory_() for n in names} for _ in range(n_workers)]
        context = mp.get_context("spawn")
        shared = Shared(context, n_workers, names, parameters, grads)
        arguments = (Path(folder), stage, seed, model, progress, shared)
        processes = [context.Process(target=worker, args=(rank, *arguments), daemon=True) for rank in range(n_workers)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        if any(process.exitcode for process in processes):
            raise SystemExit(f"stage {stage.name}: a worker failed")


class Shared:
    """What the workers of a stage have in common."""

    def __init__(self, context, n_workers, names, parameters, grads):
        self.n_workers, self.names, self.grads = n_workers, names, grads
        self.counter = context.Value("i", 0)
        self.barrier = context.Barrier(n_workers)
        self.is_over = context.Value("b", False)  # written by the first worker between the two barriers of a step
        self.stats = torch.zeros(n_workers, len(dataset.SKILLS), 2).share_memory_()
        loads, self.owned = [0.0] * n_workers, [[] for _ in range(n_workers)]
        for name in sorted(names, key=lambda n: -cost(n, parameters[n])):
            rank = loads.index(min(loads))
            loads[rank] += cost(name, parameters[name])
            self.owned[rank].append(name)

    def take(self):
        """The number of the next batch of this step."""
        with self.counter.get_lock():
            self.counter.value += 1
            return self.counter.value - 1


def worker(rank, folder, stage, seed, model, progress, shared):
    """One process of a stage."""
    try:
        _worker(rank, folder, stage, seed, model, progress, shared)
    except Exception:
        shared.barrier.abort()
        raise


def _worker(rank, folder, stage, seed, model, progress, shared):
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 64
    Block.before = torch.compile(Block.before, dynamic=True)
    Block.after = torch.compile(Block.after, dynamic=True)
    loss_of, trains = KINDS[stage.kind]
    parameters = dict(model.named_parameters())
    for name, p in parameters.items():
        p.requires_grad_(trains(name))
        p.grad = shared.grads[rank].get(name)
    optimiser = Optimiser([(n, parameters[n]) for n in shared.owned[rank]])
    for path in sorted(folder.glob("optimiser-*.pt")):
        optimiser.load(torch.load(path, weights_only=True))
    tokenizer = tokens.load(folder / "tokenizer.json")
    words.load_fragments(folder / "tokenizer.json")
    feed = Feed(folder, stage, seed, tokenizer, model.config, rank, shared)
    started = saved = time.time()
    since = 0
    while not shared.is_over.value:
        micro = feed.next(progress, stage.n_micro)
        n_learned = sum(int((b.targets >= 0).sum()) for b in micro)
        while (i := shared.take()) < len(micro):
            _accumulate(loss_of, model, micro[i], n_learned, shared.stats[rank])
        shared.barrier.wait()
        share = min(1.0, (progress.step + 1) / 40)
        if stage.cooldown:
            share *= max(0.0, 1 - progress.seen / stage.tokens)
        total = {n: sum(g[n] for g in shared.grads) for n in shared.owned[rank]}
        optimiser.step(total, stage.lr_matrix * share, stage.lr_other * share)
        for grads in shared.grads:
            for name in shared.owned[rank]:
                grads[name].zero_()
        n_tokens = sum(b.ids.size for b in micro)
        progress.seen += n_tokens
        progress.step += 1
        since += n_tokens
        if rank == 0:
            shared.counter.value = 0
            least = [round((m.load.min() / m.load.mean().clamp(min=1e-9)).item(), 2) for m in model.moe_layers()]
            for moe in model.moe_layers():
                moe.balance(stage.balance)
            shared.is_over.value = progress.seen >= stage.tokens or (folder / "next").exists()
        seconds = time.time() - started
        if progress.step % 20 == 0:
            progress.hours += seconds / 3600
            if rank == 0:
                _log(folder, progress, shared.stats, least, since / seconds)
            started, since = time.time(), 0
        shared.barrier.wait()
        is_over = bool(shared.is_over.value)
        if rank == 0 and (time.time() - saved > SAVE_SECONDS or is_over):
            saved = time.time()
            if is_over:
                progress.done.append(stage.name)
                (folder / "next").unlink(missing_ok=True)
            _write(folder / "state.pt", {"model": model.state_dict(), "progress": vars(progress)})
        if progress.step % 100 == 0 or is_over:
            _write(folder / f"optimiser-{rank}.pt", optimiser.state)


def _accumulate(loss_of, model, batch, n_learned, stats):
    """Add one batch's gradients and its share of the log."""
    ids, targets = torch.from_numpy(batch.ids), torch.from_numpy(batch.targets)
    loss, losses, rows = loss_of(model, ids, targets)
    (loss / n_learned).backward()
    skill = torch.from_numpy(batch.skill)[rows // ids.shape[1]]
    stats[:, 0].index_add_(0, skill, losses)
    stats[:, 1].index_add_(0, skill, torch.ones_like(losses))


def _log(folder, progress, stats, least_load, rate):
    """One JSON line to log.jsonl and to stdout."""
    total = stats.sum(0)
    line = json.dumps({
        "time": time.strftime("%H:%M:%S", time.gmtime()), "stage": progress.stage, "step": progress.step, "seen": progress.seen,
        "loss": round((total[:, 0].sum() / total[:, 1].sum()).item(), 4),
        "skills": {s: round((l / max(n, 1)).item(), 3) for s, (l, n) in zip(dataset.SKILLS, total)},
        "least_load": least_load, "tok_s": round(rate),
    })
    print(line, flush=True)
    with open(folder / "log.jsonl", "a", encoding="utf-8") as file:
        file.write(line + "\n")
    stats.zero_()


class Feed:
    """The batches of a stage, the same for all workers; the first worker generates a shard, the others read it."""

    def __init__(self, folder, stage, seed, tokenizer, config, rank, shared):
        self.path = folder / "shard.pt"
        self.rank, self.barrier = rank, shared.barrier
        n_dialogues = min(6000, max(200, stage.tokens // 100))
        self.make = lambda number: dataset.shard(
            tokenizer, f"{seed}:{stage.name}", False, stage.lengths, number, n_dialogues, MICRO_TOKENS,
            config.token_id("<|endoftext|>"))
        self.batches = None

    def _load(self, number):
        if self.rank == 0:
            torch.save(self.make(number), self.path)
        self.barrier.wait()
        self.batches = torch.load(self.path, weights_only=False)
        self.barrier.wait()

    def next(self, progress, count):
        """The next `count` batches."""
        if self.batches is None:
            self._load(progress.shard)
        if progress.position + count > len(self.batches):
            progress.shard += 1
            progress.position = 0
            self._load(progress.shard)
        progress.position += count
        return self.batches[progress.position - count : progress.position]
