"""The training loop: searches of supermasks and training of dense weights alike."""

import time

import torch

from hfn_accel.errors import HfnError

from ..quantise import CALIBRATION_IMAGES, calibrate
from . import distributed
from .accuracy import accuracy
from .checkpoint import Checkpoint, State, identity
from .files import RunFiles
from .images import TrainingImages
from .logs import Logs
from .optimiser import descend, learned_steps, learning_rate, make_optimiser
from .progress import Progress

_CHECK_EVERY = 20  # steps, where looking at a loss would wait for a device or for other processes


def train(model, data, recipe, files: RunFiles, *, device="cpu", checkpoint_every=500,
          progress=True) -> list[dict]:  # fmt: skip
    """Do what `recipe` says to a FoldedResNet of golden.build, on the training images of `data`.

    A checkpoint is written after every epoch and every `checkpoint_every` steps of one; when it
    exists, the search goes on from it with the result of an uninterrupted run, bit for bit. Under
    torchrun all processes do one search (golden.training.distributed). Returns one row of metrics
    an epoch: epoch (from 1), loss, train_accuracy, validation_accuracy (None if no images are held
    out), lr (of the last step), images_per_second (of training) and seconds (of all). `progress`:
    whether to show it, if there is a terminal. Raises HfnError if the loss is not finite: the last
    good checkpoint stays.
    """
    search = _Search(model, data, recipe, files, device, checkpoint_every)
    if search.state.epoch < recipe.epochs:
        search.run(progress)
    elif search.processes.first and not (files.metrics.exists() and files.densities.exists()):
        Logs(files, model.arch, search.state).close()  # lost ones come back
    return search.state.rows


class _Search:
    """A search under way; `state` says how far it is."""

    def __init__(self, model, data, recipe, files, device, checkpoint_every):
        self.model, self.recipe, self.files = model, recipe, files
        self.processes = distributed.join(device)
        self.share = self.processes.share(recipe.batch)
        if model.arch.layers[-2].out_size == 1 and self.share.stop - self.share.start == 1:
            raise HfnError("batch must be at least 2 a process: the last maps have one pixel, "
                           "whose values of one image have no variance")  # fmt: skip
        self.device = self.processes.device
        self.bfloat16 = recipe.precision == "bfloat16"
        self.images = TrainingImages(data, recipe, self.device)
        self.steps, self.checkpoint_every = self.images.steps, checkpoint_every
        model.to(device=self.device, memory_format=torch.channels_last)
        self.optimiser = make_optimiser(model, recipe)
        whose = identity(recipe, model.arch, len(data.train_images), self.processes.count)
        self.checkpoint = Checkpoint(files.checkpoint, model, self.optimiser, whose)
        self.state = self.checkpoint.load() or State(metrics=torch.zeros(self.steps, 2))
        self.state.metrics = self.state.metrics.to(self.device)
        self.checked = self.state.step  # metrics of so many steps are finite and of all processes
        alone = self.processes.count == 1 and self.device.type == "cpu"
        self.check_every = 1 if alone else _CHECK_EVERY
        self._quantise(self.state.quantised(recipe))

    def run(self, progress: bool):
        state, first = self.state, self.processes.first
        self.progress = Progress(self.recipe, self.steps, progress and first)
        logs = Logs(self.files, self.model.arch, state) if first else None
        network = self.processes.wrap(self.model)
        try:
            while state.epoch < self.recipe.epochs:
                if (state.epoch, state.step) == (self.recipe.quantise_from, 0):
                    calibrate(self.model, self.images.first(CALIBRATION_IMAGES))
                    self._quantise(True)
                    network = self.processes.wrap(self.model)
                self._train(network)
                self._end_epoch()
                if logs:
                    logs.add()
                    self.progress.epoch(state.rows[-1])
                self._save()  # last, so that the logs hold every epoch that is not done again
        finally:
            self.progress.end()
            if logs:
                logs.close()

    def _quantise(self, on: bool):
        """Learned steps are trained once something is quantised by them."""
        self.model.quantise(on)
        for step in learned_steps(self.model):
            step.requires_grad_(on)

    def _train(self, network):
        """The steps of the state's epoch that are not yet done."""
        state = self.state
        self.began = time.monotonic() - state.seconds
        self.progress.begin(state)
        self.model.train()
        for x, labels in self.images.batches(state.epoch, state.step, self.share):
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(self.recipe, state.epoch + state.step / self.steps)
            state.metrics[state.step] = descend(network, self.optimiser, x, labels, self.bfloat16)
            state.step += 1
            last, due = state.step == self.steps, state.step % self.checkpoint_every == 0
            if last or due or state.step % self.check_every == 0:
                self._check_losses()
            if last or due:
                self._check_network()
            if due and not last:
                self.processes.average_statistics(self.model)
                self._save()
            self.progress.step(state)

    def _check_losses(self):
        """Average the latest metrics over processes. Raises HfnError if one is not finite."""
        latest = self.state.metrics[self.checked : self.state.step]
        self.processes.average(latest)
        bad = (~latest[:, 0].isfinite()).nonzero()
        if len(bad):
            self._refuse(f"the loss is {latest[bad[0, 0], 0]:.4g}", self.checked + bad[0, 0].item())
        self.checked = self.state.step

    def _check_network(self):
        """A step may spoil the network of which it had a good loss: such a one is not kept."""
        for name, value in self.model.state_dict().items():
            if not value.isfinite().all():
                self._refuse(f"{name} is not finite", self.state.step - 1)

    def _refuse(self, what: str, step: int):
        epoch, path = self.state.epoch + 1, self.checkpoint.path
        kept = f"{path} keeps the last good state" if path.exists() else "no checkpoint yet"
        raise HfnError(f"{what} in epoch {epoch}, step {step + 1}: use a lower --lr; {kept}")

    def _end_epoch(self):
        """What follows the last step: recycling, measurements, and the next epoch's beginning."""
        state, model = self.state, self.model
        loss, right = state.metrics.double().mean(0).tolist()
        seconds = time.monotonic() - self.began
        if not model.dense and state.epoch + 1 < self.recipe.epochs:  # scores follow
            model.method.after_epoch(model, state.epoch)
        self.processes.average_statistics(model)
        images, labels = self.images.held_out
        held_out = None
        if len(images):
            found = accuracy(model, images, labels, self.device, bfloat16=self.bfloat16)
            held_out = round(found, 6)
        state.densities.append([round(density, 6) for density in model.densities()])
        state.rows.append({
            "epoch": state.epoch + 1, "loss": round(loss, 6), "train_accuracy": round(right, 6),
            "validation_accuracy": held_out,
            "lr": round(self.optimiser.param_groups[0]["lr"], 9),
            "images_per_second": round(self.steps * self.recipe.batch / seconds, 1),
            "seconds": round(time.monotonic() - self.began, 2),
        })  # fmt: skip
        state.epoch, state.step, self.checked = state.epoch + 1, 0, 0
        self.began = time.monotonic()

    def _save(self):
        """Write the checkpoint; all processes are equal by now, as they will be when it is read."""
        self.state.seconds = time.monotonic() - self.began
        if self.processes.first:
            self.checkpoint.save(self.state)
