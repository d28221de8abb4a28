"""The optimiser and its learning rate."""

import numpy as np
import pytest
import torch

from golden.training import optimiser

from . import job


def test_learning_rate_warms_up_and_falls_to_zero():
    recipe = job.recipe(epochs=10, lr=0.2, warmup=2.0)
    rates = [optimiser.learning_rate(recipe, e / 10) for e in range(101)]
    assert rates[0] < 0.001 and rates[20] == pytest.approx(0.2) == max(rates)
    assert np.all(np.diff(rates[:21]) > 0) and np.all(np.diff(rates[20:]) < 0)
    assert rates[60] == pytest.approx(0.1) and rates[100] == pytest.approx(0)
    assert optimiser.learning_rate(job.recipe(warmup=0, lr=0.2), 0) == pytest.approx(0.2)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_are_nesterovs_and_learned_steps_do_not_decay(momentum):
    """Against the formulas: v <- momentum * v + g, p <- p - lr * (g + momentum * v)."""
    recipe = job.recipe(scales="learned", momentum=momentum, weight_decay=0.25, lr=0.5)
    model = job.network(recipe)
    step, scores = model.quantisers[0].step, model.convs[0].scores
    assert len(optimiser.learned_steps(model)) == len(model.quantisers)
    chosen = optimiser.make_optimiser(model, recipe)
    count = sum(len(group["params"]) for group in chosen.param_groups)
    assert count == len(list(model.parameters()))
    expected = {p: (p.detach().double().clone(), 0.0) for p in (step, scores)}
    for _ in range(3):
        for p, (value, velocity) in expected.items():
            p.grad = torch.rand_like(p)
            gradient = p.grad.double() + (0.25 * value if p is scores else 0)
            velocity = momentum * velocity + gradient
            expected[p] = value - 0.5 * (gradient + momentum * velocity), velocity
        chosen.step()
    for p, (value, _) in expected.items():
        assert torch.allclose(p.double(), value, rtol=1e-5, atol=1e-6)


def test_a_step_descends_and_says_how_well_it_stood():
    recipe = job.recipe(method="dense")
    model = job.network(recipe).train()
    chosen = optimiser.make_optimiser(model, recipe)
    x, labels = torch.rand(8, 1, 8, 8), torch.arange(8)
    logits = model(x)
    loss, right = optimiser.descend(model, chosen, x, labels, False).tolist()
    assert loss == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item())
    assert right == pytest.approx((logits.argmax(1) == labels).float().mean().item())
    later = [optimiser.descend(model, chosen, x, labels, False)[0] for _ in range(20)]
    assert later[-1] < loss / 2
