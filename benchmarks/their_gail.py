"""GAIL of Ho & Ermon, 2016, with PPO on the pendulum, in PyTorch: the step that `ours.py` takes.

The worlds are one array: a loop over environments, as in Gymnasium, would be slower still.
"""

import math
from collections.abc import Callable

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

TORQUES = torch.tensor([-2.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 2.0])


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """Two hidden layers of 64 units."""
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs))


def observed(angle: Tensor, rate: Tensor) -> Tensor:
    return torch.stack((torch.cos(angle), torch.sin(angle), rate), -1)


def pairs(seen: Tensor, action: Tensor) -> Tensor:
    return torch.cat((seen, F.one_hot(action, len(TORQUES)).float()), -1)


def step_of(
    actor: nn.Module,
    value: nn.Module,
    critic: nn.Module,
    expert: tuple[Tensor, Tensor],
    compile: Callable[[Callable], Callable],
    *,
    environments: int,
    horizon: int,
    critic_steps: int,
    epochs: int = 4,
    clip: float = 0.2,
    discount: float = 0.99,
    decay: float = 0.95,
) -> Callable[[], None]:
    """A rollout of an episode, updates of the critic, and epochs of PPO."""
    both = [*actor.parameters(), *value.parameters()]
    judging, acting = (torch.optim.Adam(p, 1e-3, fused=True) for p in (list(critic.parameters()), both))

    def played() -> tuple[Tensor, Tensor, Tensor]:
        """Observations `[horizon, environments, 3]`, actions, and what is observed after the last."""
        angle = (2 * torch.rand(environments) - 1) * math.pi
        rate = 2 * torch.rand(environments) - 1
        sights, actions = [], []
        for _ in range(horizon):
            seen = observed(angle, rate)
            action = torch.multinomial(torch.softmax(actor(seen), -1), 1)[:, 0]
            torque = TORQUES[action]
            rate = (rate + (15 * torch.sin(angle) + 3 * torque) * 0.05).clamp(-8, 8)
            angle = angle + rate * 0.05
            sights.append(seen)
            actions.append(action)
        return torch.stack(sights), torch.stack(actions), observed(angle, rate)

    @compile
    def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
        return F.softplus(-critic(real)).mean() + F.softplus(critic(fake)).mean()

    @compile
    def ppo_loss(seen: Tensor, action: Tensor, before: Tensor, advantage: Tensor, returns: Tensor) -> Tensor:
        log_p = F.log_softmax(actor(seen), -1).gather(-1, action[..., None])[..., 0]
        ratio = torch.exp(log_p - before)
        gain = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()
        return (value(seen)[..., 0] - returns).square().mean() / 2 - gain

    def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def step() -> None:
        with torch.no_grad():
            seen, action, last = played()
        own, count = pairs(seen, action).flatten(0, 1), len(expert[1])
        for _ in range(critic_steps):
            some = torch.randint(len(own), (count,))
            descend(judging, critic_loss(pairs(*expert), own[some]))
        with torch.no_grad():
            earned = critic(own).view(horizon, environments)
            values = value(torch.cat((seen, last[None])))[..., 0]
            delta = earned + discount * values[1:] - values[:-1]
            total, sums = torch.zeros(environments), []
            for each in reversed(delta.unbind()):
                total = each + discount * decay * total
                sums.append(total)
            advantage = torch.stack(sums[::-1])
            returns = advantage + values[:-1]
            advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
            before = F.log_softmax(actor(seen), -1).gather(-1, action[..., None])[..., 0]
        for _ in range(epochs):
            descend(acting, ppo_loss(seen, action, before, advantage, returns))

    return step
